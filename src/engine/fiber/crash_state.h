// SPDX-License-Identifier: Apache-2.0
//
// What the parts of crash containment share. One armed region in the process at a time, so the state is global: signal
// handlers must not touch thread-local variables, whose first use in a thread may allocate.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <ucontext.h>

#include <atomic>
#include <cstdint>

#include "fiber/crash.h"

namespace plait::crash {

// Written by the armed thread, read by handlers: on that thread (then nothing runs in between) and on others (which
// look at `armed` and `thread` only, and go away).
struct Guarded {
  std::atomic<bool> armed{false};
  std::atomic<pid_t> thread{0};
  CrashGuard::Landing landing = nullptr;
  void* argument = nullptr;
  const volatile uint64_t* progress = nullptr;
  uint32_t hang_ms = 0;
  uint64_t serial = 0;  // one more with each arm
  std::atomic<bool> left{false};       // between leave and reenter
  void (*interrupted)() = nullptr;     // to be called then; null: it was
};
extern Guarded g_guarded;

pid_t this_thread();  // a system call
// True on the armed thread.
bool armed_here();
// Saves the crash, disarms, and makes the handler return to the landing instead of the interrupted code.
void contain(const Crash& crash, ucontext_t& context);

// The watchdog: a timer for one thread at a time, which looks at its CPU time. It ticks twice in `hang_ms` while
// executions go on and stops by itself after two ticks without any. `owner` tells threads apart (thread ids are reused).
namespace watchdog {
extern std::atomic<uint64_t> g_owner;  // 0: no timer ticks
extern uint32_t g_hang_ms;             // that it was started with
void install();                        // its signal's handler; idempotent
void uninstall();
void start(uint64_t owner, uint32_t hang_ms);
void release(uint64_t owner);  // the thread ends
void forget();                 // in the child of a fork: timers are not inherited
int signal_number();           // 0 before install
}  // namespace watchdog

}  // namespace plait::crash
