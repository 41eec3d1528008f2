// SPDX-License-Identifier: Apache-2.0
//
// Crash containment. While armed, a synchronous signal (SEGV, BUS, FPE, ILL, TRAP, ABRT, SYS) on this thread, or the
// watchdog's finding that no engine call was made for too much CPU time, does not kill the process: the interrupted
// code is abandoned and `landing` is called on a stack of its own, outside of the signal handler, with normal signal
// mask. `landing` must not return (it switches to another fiber). While not armed the previous handlers see the signal
// as if we were not there (faulthandler, libFuzzer, ASan).
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait {

struct Crash {
  static constexpr uintptr_t kNoAddress = UINTPTR_MAX;
  int signal = 0;               // SIGSEGV, ...; the watchdog's signal when `hang`
  int code = 0;                 // si_code
  uintptr_t address = 0;        // si_addr for SEGV and BUS; kNoAddress: not told (on x86-64: it was not canonical)
  uintptr_t pc = 0;             // where it was
  uintptr_t sp = 0;
  uintptr_t return_address = 0; // what the stack holds at sp (a wild jump came from there)
  bool hang = false;            // no engine call for `hang_ms` of CPU time
};

class CrashGuard {
 public:
  using Landing = void (*)(void* argument, const Crash& crash);

  // Installs the handlers and the alternate signal stack for the calling thread; idempotent and cheap when already
  // installed. Only one guard per process: the engine runs one execution at a time.
  static void install();
  // Puts the previous handlers back.
  static void uninstall();

  // From now on crashes on this thread go to `landing`. `progress` points at a counter that the engine changes often
  // (any change counts); if it stands still for `hang_ms` of this thread's CPU time the watchdog lands with hang=true.
  // hang_ms 0: no watchdog. The watchdog's timer is created once and armed only while a guard is armed.
  static void arm(Landing landing, void* argument, const volatile uint64_t* progress, uint32_t hang_ms);
  static void disarm();
  // Leaves the armed region for code that may not be abandoned, and comes back. Crashes of it go to the previous
  // handlers; when it hangs `interrupted` is called in the signal handler, once for each leave.
  static void leave(void (*interrupted)());
  static void reenter();
  // For scopes inside an armed region where a crash is the engine's own bug.
  static bool armed();
};

}  // namespace plait
