// SPDX-License-Identifier: Apache-2.0
//
// What the tests of crash containment share: ways to crash, a fiber to do it on, and a landing that notes what came.
#pragma once

#include "fiber/crash.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "fiber/asan.h"
#include "fiber/fiber.h"

#include "expect.h"

using namespace plait;

namespace crash_rig {

constexpr int kManyTimes = 10000;
// AddressSanitizer may keep frames of functions for a while after they returned.
constexpr size_t kGrowthKib = asan::kOn ? 8192 : 512;

// One contained region on a fiber: what the machine does with an execution, made small.
struct Box {
  StackRange stacks{2, 256 * 1024};
  Fiber main;
  Fiber landing;
  Fiber fiber;
  void (*body)() = nullptr;
  volatile uint64_t progress = 0;
  Crash crash;
  bool crashed = false;

  static void entry(void* argument) {
    Box& box = *static_cast<Box*>(argument);
    box.body();
    box.main.switch_from(box.fiber);
  }
  static void on_crash(void* argument, const Crash& crash) {
    Box& box = *static_cast<Box*>(argument);
    box.crash = crash;
    box.crashed = true;
    box.main.switch_from(box.landing);
  }
  // False when the body came back.
  bool crashes(void (*code)(), uint32_t hang_ms = 0) {
    body = code;
    crashed = false;
    fiber.prepare(stacks.stack_lo(1), stacks.stack_hi(1), entry, this);
    CrashGuard::install();
    CrashGuard::arm(on_crash, this, &progress, hang_ms);
    fiber.switch_from(main);
    CrashGuard::disarm();
    return crashed;
  }
};
Box& box() {
  static Box one;
  return one;
}

// How a child process that runs `body` ends.
int status_of(void (*body)()) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    if (!std::getenv("CRASH_TEST_LOUD") && !std::freopen("/dev/null", "w", stderr)) _exit(99);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}
bool died_of(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
int exit_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

size_t resident_kib() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  size_t total = 0;
  size_t resident = 0;
  if (std::fscanf(file, "%zu %zu", &total, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// qemu-user has no timers of threads; the watchdog has said so, and what needs one is left out.
bool there_are_timers() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMIN;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  int timer = 0;
  const bool works = syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0;
  if (works) syscall(SYS_timer_delete, timer);
  return works;
}
// Whether the watchdog ends the code.
bool hangs(void (*code)(), uint32_t hang_ms) {
  static const bool timers = there_are_timers();
  return !timers || (box().crashes(code, hang_ms) && box().crash.hang);
}

#define UNCHECKED [[gnu::noinline]]
#if defined(__clang__)
#define UNSANITIZED UNCHECKED __attribute__((no_sanitize("address", "undefined")))
#else
#define UNSANITIZED UNCHECKED __attribute__((no_sanitize("address"), no_sanitize("undefined")))
#endif

// ---- crashes

volatile uintptr_t g_address;
volatile int g_zero;
volatile int g_result;

UNSANITIZED void load_null() { (void)*reinterpret_cast<volatile int*>(g_address); }
UNSANITIZED void store_in_guard() {
  *reinterpret_cast<volatile char*>(box().stacks.stack_lo(1) - 100) = 1;
}
UNSANITIZED int descend(int depth) {
  volatile char frame[1024] = {};
  frame[depth % 1024] = 1;
  return depth < 0 ? 0 : descend(depth + 1) + frame[depth % 7];
}
UNSANITIZED void overflow_stack() { g_result = descend(1); }
UNSANITIZED void divide() {
#if defined(__x86_64__)
  g_result = 7 / g_zero;
#else
  raise(SIGFPE);
#endif
}
UNSANITIZED void raise_abort() { raise(SIGABRT); }
UNSANITIZED void call_abort() { std::abort(); }
UNSANITIZED void illegal() {
#if defined(__x86_64__)
  __asm__ volatile("ud2");
#else
  __asm__ volatile("udf #0");
#endif
}
UNSANITIZED void jump_to_zero() {
  reinterpret_cast<void (*)()>(g_address)();
  g_result = 1;  // or it is no call but a jump
}
[[maybe_unused]] UNSANITIZED void load_uncanonical() {
  (void)*reinterpret_cast<volatile int*>(g_address + 0xa5a5a5a5a5a5a5a5);
}
UNSANITIZED void loop() {
  for (;;) g_result = 1;
}
UNSANITIZED void lose_stack_pointer() {
#if defined(__x86_64__)
  __asm__ volatile("movq $8, %%rsp\n\tpushq %%rax" ::: "memory");
#else
  __asm__ volatile("mov x9, #16\n\tmov sp, x9\n\tstr x9, [sp]" ::: "x9", "memory");
#endif
}
void nothing() {}

struct Kind {
  const char* name;
  void (*body)();
  int signal;
};
const Kind kKinds[] = {
    {"null dereference", load_null, SIGSEGV}, {"guard page", store_in_guard, SIGSEGV},
    {"stack overflow", overflow_stack, SIGSEGV}, {"division by zero", divide, SIGFPE},
    {"raise(SIGABRT)", raise_abort, SIGABRT}, {"abort()", call_abort, SIGABRT},
    {"illegal instruction", illegal, SIGILL}, {"jump to 0", jump_to_zero, SIGSEGV},
    {"lost stack pointer", lose_stack_pointer, SIGSEGV},
};

}  // namespace crash_rig
