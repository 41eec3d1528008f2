// SPDX-License-Identifier: Apache-2.0
//
// A target may decide by the bits of a pointer to one of its globals, so they have to be the same in every process. The
// dynamic linker asks the kernel for any place, and nothing can be said to it. But its request can be answered by us:
// a thread with a seccomp filter does the loading, mappings of files at no address in particular stop there, and the
// thread that waits for it maps the module where it should be. All else is as the linker likes it, so exceptions,
// thread-local variables and debuggers know the module as any other. The filter ends with its thread.
#include "tsan/fixed_load.h"

#include <dlfcn.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/prng.h"

namespace plait {
namespace {

// Above the arena; far from where kernels put programs, libraries and stacks.
constexpr uintptr_t kPlaces = 0x210000000000u;
constexpr uintptr_t kPlaceBytes = 16u << 20;
constexpr uint64_t kPlaceCount = uint64_t{1} << 20;
constexpr uint64_t kTries = 256;  // neighbours may be taken: other targets, or one that is longer than a place

void* load(const std::string& name) { return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL); }

Loaded load_anywhere(const std::string& name) {
  if (void* const handle = load(name)) return {handle, ""};
  const char* const message = dlerror();
  return {nullptr, message ? message : "unknown reason"};
}

#if defined(SECCOMP_USER_NOTIF_FLAG_CONTINUE) && defined(MAP_FIXED_NOREPLACE)

#if defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#endif

// ---- where

uint64_t hash_of(std::span<const std::byte> bytes, uint64_t hash) {
  for (; bytes.size() >= sizeof(uint64_t); bytes = bytes.subspan(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = mix(hash, word);
  }
  for (const std::byte byte : bytes) hash = mix(hash, static_cast<uint64_t>(byte));
  return hash;
}

// Of code and data alone: names of source files, and what is made of them, would give each checkout another place.
uint64_t hash_of_code_and_data(std::span<const std::byte> module) {
  uint64_t hash = 0;
  ElfW(Ehdr) header;
  if (module.size() < sizeof header) return hash;
  std::memcpy(&header, module.data(), sizeof header);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    const size_t at = header.e_phoff + i * sizeof segment;
    if (at > module.size() || module.size() - at < sizeof segment) return hash;  // the linker will say so
    std::memcpy(&segment, module.data() + at, sizeof segment);
    if (segment.p_type != PT_LOAD || !(segment.p_flags & (PF_W | PF_X))) continue;
    if (segment.p_offset > module.size() || module.size() - segment.p_offset < segment.p_filesz) return hash;
    hash = hash_of(module.subspan(segment.p_offset, segment.p_filesz), hash);
  }
  return hash;
}

uint64_t hash_of_code_and_data(int file, size_t bytes) {
  void* const content = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
  if (content == MAP_FAILED) return 0;
  const uint64_t hash = hash_of_code_and_data({static_cast<const std::byte*>(content), bytes});
  munmap(content, bytes);
  return hash;
}

struct Module {
  struct stat file;
  uint64_t place;  // index of the first to try
};

bool is_of(const Module& module, int file) {
  struct stat other;
  return fstat(file, &other) == 0 && other.st_dev == module.file.st_dev && other.st_ino == module.file.st_ino;
}

// 0 where no place is free.
uintptr_t map(const Module& module, const seccomp_data& request) {
  for (uint64_t i = 0; i < kTries; ++i) {
    const uintptr_t place = kPlaces + (module.place + i) % kPlaceCount * kPlaceBytes;
    void* const wanted = reinterpret_cast<void*>(place);
    void* const got = mmap(wanted, request.args[1], static_cast<int>(request.args[2]),
                           static_cast<int>(request.args[3]) | MAP_FIXED_NOREPLACE, static_cast<int>(request.args[4]),
                           static_cast<off_t>(request.args[5]));
    if (got == wanted) return place;
    if (got != MAP_FAILED) munmap(got, request.args[1]);
    if (got != MAP_FAILED || errno != EEXIST) return 0;
  }
  return 0;
}

// ---- the filter

constexpr uint32_t offset_of_argument(size_t index) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);  // the low half is the first
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + index * sizeof(uint64_t));
}

// From here on mappings of files at address 0, by this thread alone, wait for an answer. Returns where to give it, or
// -1: the kernel is too old, or a sandbox does not let us.
int listen_to_mappings() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, 9),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 7),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(0)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(0) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(3)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

// ---- the two threads

// Written by the loading thread before it raises the event.
struct Loading {
  const std::string& name;
  int listening = -1;  // eventfd: `listener` is known
  int finished = -1;   // eventfd
  int listener = -1;
  void* handle = nullptr;
};

void raise(int event) {
  const uint64_t one = 1;
  ENGINE_CHECK(write(event, &one, sizeof one) == sizeof one);
}

void await(int event) {
  uint64_t count;
  while (read(event, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

void run(Loading& loading) {
  loading.listener = listen_to_mappings();
  raise(loading.listening);
  loading.handle = load(loading.name);
  raise(loading.finished);
}

// Not joinable where the process may have no more threads.
std::thread start(Loading& loading) {
  // What comes from outside is for the thread that was there.
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&blocked, crash);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  std::thread thread;
  try {
    thread = std::thread(run, std::ref(loading));
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// False if nobody can be answered any more.
bool answer(int listener, const Module& module) {
  seccomp_notif request{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return errno == EINTR || errno == ENOENT;
  seccomp_notif_resp response{};
  response.id = request.id;
  if (is_of(module, static_cast<int>(request.data.args[4]))) response.val = static_cast<int64_t>(map(module, request.data));
  if (response.val == 0) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 || errno == EINTR || errno == ENOENT;
}

void answer_until_finished(Loading& loading, const Module& module) {
  await(loading.listening);
  pollfd events[2] = {{loading.finished, POLLIN, 0}, {loading.listener, POLLIN, 0}};  // a listener of -1 is passed over
  while (!(events[0].revents & POLLIN)) {
    if (poll(events, 2, -1) < 0) events[0].revents = events[1].revents = 0;
    if (!(events[1].revents & POLLIN) || answer(loading.listener, module)) continue;
    close(loading.listener);  // its mapping fails then, and the module is loaded anywhere
    loading.listener = events[1].fd = -1;
  }
}

// Null where it could not be loaded, for whatever reason.
void* load_beside(const std::string& name, const Module& module) {
  Loading loading{.name = name};
  loading.listening = eventfd(0, EFD_CLOEXEC);
  loading.finished = eventfd(0, EFD_CLOEXEC);
  if (loading.listening >= 0 && loading.finished >= 0) {
    std::thread thread = start(loading);
    if (thread.joinable()) {
      answer_until_finished(loading, module);
      thread.join();
    }
  }
  for (const int descriptor : {loading.listening, loading.finished, loading.listener}) {
    if (descriptor >= 0) close(descriptor);
  }
  return loading.handle;
}

}  // namespace

Loaded load_at_fixed_place(const std::string& name, int file) {
  Module module{};
  if (fstat(file, &module.file) != 0 || module.file.st_size == 0) return load_anywhere(name);
  module.place = hash_of_code_and_data(file, static_cast<size_t>(module.file.st_size)) % kPlaceCount;
  void* const handle = load_beside(name, module);
  return handle ? Loaded{handle, ""} : load_anywhere(name);
}

#else

}  // namespace

Loaded load_at_fixed_place(const std::string& name, int) { return load_anywhere(name); }

#endif

}  // namespace plait
