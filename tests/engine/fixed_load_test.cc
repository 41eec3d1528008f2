// SPDX-License-Identifier: Apache-2.0
//
// Where a target lies: a build has its place, takes the next one where that is taken, and is loaded in sandboxes too,
// where nothing can be said about it.
#include "tsan/fixed_load.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <thread>

#include "native_target_build.h"

namespace {

constexpr uintptr_t kNear = uintptr_t{1} << 30;

bool is_fixed(uintptr_t place) { return place >> 45 == 1; }  // kernels put nothing there by themselves

int in_child(int (*body)(void*), void* argument) {
  const pid_t child = fork();
  if (child == 0) _exit(body(argument));
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

// From now on the calls of this process go through it. Negative: the kernel does not let us.
template <size_t size>
long filter(sock_filter (&code)[size], unsigned flags) {
  const sock_fprog program{size, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// Where it does not, targets lie anywhere, and there is nothing to ask about their places.
bool kernel_notifies() {
  const auto listen = [](void*) {
    sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    return filter(code, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0 ? 1 : 0;
  };
  return in_child(listen, nullptr) == 0;
}

struct Sandbox {
  std::string path;
  uint32_t refused;  // number of a system call
};

int load_in_sandbox(void* argument) {
  const auto& sandbox = *static_cast<const Sandbox*>(argument);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sandbox.refused, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (filter(code, 0) != 0) return 2;
  if (syscall(sandbox.refused) != -1 || errno != EPERM) return 3;
  NativeTarget target(sandbox.path, g_table);
  return word(address_of(target, "initialised")) == 77 && !is_fixed(target.load_base()) ? 0 : 1;
}

}  // namespace

TEST(a_build_has_its_place) {
  const std::string path = build("place", std::string(kBefore) + kPlaces);
  const uintptr_t place = NativeTarget(path, g_table).load_base();
  if (!kernel_notifies()) return;
  EXPECT(is_fixed(place));
  NativeTarget other(build("elsewhere", std::string(kBefore) + kDeclaration), g_table);
  EXPECT(is_fixed(other.load_base()) && other.load_base() != place);
  std::thread([&] {
    NativeTarget target(path, g_table);
    EXPECT_EQ(target.load_base(), place);
    NativeTarget second(path, g_table);
    EXPECT(second.load_base() > place && second.load_base() - place < kNear);
  }).join();
}

TEST(a_place_may_be_taken) {
  const std::string path = build("taken", std::string(kBefore) + kPlaces);
  const uintptr_t place = NativeTarget(path, g_table).load_base();
  if (!kernel_notifies()) return;
  void* const page = mmap(reinterpret_cast<void*>(place), 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(page), place);
  *static_cast<int*>(page) = 5;
  {
    NativeTarget target(path, g_table);
    EXPECT(target.load_base() > place && target.load_base() - place < kNear);
  }
  EXPECT_EQ(*static_cast<int*>(page), 5);
  munmap(page, 4096);
}

TEST(in_a_sandbox_it_lies_anywhere) {
  for (const uint32_t refused : {SYS_seccomp, SYS_eventfd2}) {
    Sandbox sandbox{build("sandbox", std::string(kBefore) + kPlaces), refused};
    EXPECT_EQ(in_child(load_in_sandbox, &sandbox), 0);
  }
}
