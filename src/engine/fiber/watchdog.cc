// SPDX-License-Identifier: Apache-2.0
//
// Finds code that never calls the engine again. Arming costs no system call, because the timer is left running: its
// handler compares what the progress counter and the number of the armed region were at the last tick.
//
// What is bounded is the thread's CPU time, so a machine that is busy or asleep is no hang. The timer itself runs on the
// wall clock: timers of CPU time go off on the kernel's tick, 4 ms apart, which is more than a small hang_ms. System
// calls of timers are made directly: before glibc 2.34 they were in a library of their own.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <iterator>

#include "fiber/crash_state.h"
#include "fiber/machine_context.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace plait::crash::watchdog {

std::atomic<uint64_t> g_owner{0};
uint32_t g_hang_ms = 0;

namespace {

using KernelTimer = int;
constexpr KernelTimer kNoTimer = -1;

struct Watch {
  int signal = 0;
  struct sigaction previous {};
  KernelTimer timer = kNoTimer;
  uint64_t made_by = 0;  // the owner whose thread it watches
  // Of the last tick at which something had moved.
  uint64_t serial = 0;
  uint64_t progress = 0;
  int64_t cpu_ns = 0;
} g_watch;

void set_period(uint32_t hang_ms) {
  itimerspec period{};
  const uint64_t ns = uint64_t{hang_ms} * 1000000 / 2;
  period.it_interval.tv_sec = static_cast<time_t>(ns / 1000000000);
  period.it_interval.tv_nsec = static_cast<long>(ns % 1000000000);
  period.it_value = period.it_interval;
  syscall(SYS_timer_settime, g_watch.timer, 0, &period, nullptr);
}

void remove_timer() {
  if (g_watch.timer != kNoTimer) syscall(SYS_timer_delete, g_watch.timer);
  g_watch.timer = kNoTimer;
  g_owner = 0;
}

// CPU time of this thread.
int64_t cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void idle_tick(uint64_t serial) {
  if (serial == g_watch.serial && g_watch.timer != kNoTimer) {
    g_owner = 0;
    set_period(0);
  }
  g_watch.serial = serial;
}

void on_tick(int signal, siginfo_t* info, void* raw) {
  const int saved_errno = errno;
  const uint64_t serial = g_guarded.serial;
  // A tick that was on its way while the timer was handed to another thread says nothing.
  const bool ours = info->si_code == SI_TIMER;
  if (ours && !g_guarded.armed) {
    idle_tick(serial);
  } else if (ours && armed_here() && g_guarded.hang_ms != 0) {
    const uint64_t progress = *g_guarded.progress;
    if (serial != g_watch.serial || progress != g_watch.progress) {
      g_watch.serial = serial;
      g_watch.progress = progress;
      g_watch.cpu_ns = cpu_ns();
    } else if (cpu_ns() - g_watch.cpu_ns >= int64_t{g_guarded.hang_ms} * 1'000'000) {
      if (g_guarded.left) {
        if (g_guarded.interrupted) g_guarded.interrupted();
        g_guarded.interrupted = nullptr;
        errno = saved_errno;
        return;
      }
      auto& context = *static_cast<ucontext_t*>(raw);
      Crash crash;
      crash.signal = signal;
      crash.hang = true;
      crash.pc = pc_of(context);
      crash.sp = sp_of(context);
      contain(crash, context);
    }
  }
  errno = saved_errno;
}

// A realtime signal that nobody uses. From above: those who take one for themselves begin below.
int unused_signal() {
  for (int signal = SIGRTMAX - 1; signal >= SIGRTMIN; --signal) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO)) continue;
    if (now.sa_handler == SIG_DFL) return signal;
  }
  return 0;
}

bool make_timer() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = g_watch.signal;
  event.sigev_notify_thread_id = this_thread();
  KernelTimer timer = kNoTimer;
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0) return false;
  g_watch.timer = timer;
  return true;
}

}  // namespace

void install() {
  if (g_watch.signal != 0) return;
  const int signal = unused_signal();
  if (signal == 0) return;
  struct sigaction action {};
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, &g_watch.previous) == 0) g_watch.signal = signal;
}

void uninstall() {
  remove_timer();
  if (g_watch.signal == 0) return;
  // Its default is to end the process, and a tick may be on its way: ignoring it first throws that away.
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(g_watch.signal, &ignore, nullptr);
  sigaction(g_watch.signal, &g_watch.previous, nullptr);
  g_watch.signal = 0;
}

void start(uint64_t owner, uint32_t hang_ms) {
  if (g_watch.signal == 0) return;
  if (g_watch.timer == kNoTimer || g_watch.made_by != owner) {
    remove_timer();
    g_watch.made_by = owner;
    if (!make_timer()) {
      static bool told = false;
      if (!told) std::fputs("plait: timer_create does not work here: endless loops will not be found\n", stderr);
      told = true;
    }
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, g_watch.signal);
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  }
  g_hang_ms = hang_ms;
  g_owner = owner;
  if (g_watch.timer != kNoTimer) set_period(hang_ms);
}

void release(uint64_t owner) {
  if (g_watch.made_by == owner) remove_timer();
}

void forget() {
  g_watch.timer = kNoTimer;
  g_owner = 0;
}

int signal_number() { return g_watch.signal; }

}  // namespace plait::crash::watchdog
