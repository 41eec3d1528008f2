// SPDX-License-Identifier: Apache-2.0
//
// The ways out of a target that would end the process or leave the engine's sight: abort and its relatives become a
// verdict, longjmp is let through only inside the running operation. Exceptions are in throws.cc.
//
// Here too: what the C++ library does for static objects of functions. Its own guard would block the only OS thread
// and write a guard variable that nobody can undo.
#include "rt.h"

using plait::Death;

extern "C" {
[[noreturn]] void __real_longjmp(void* buffer, int value);
[[noreturn]] void __real_siglongjmp(void* buffer, int value);
}

extern "C" {

// ---- the end ----------------------------------------------------------------------------------------------------

#define DIES(name, how, text) \
  [[noreturn]] void __wrap_##name() { plait_rt_die(how, text, nullptr, 0, PLAIT_CALLER_PC); }
#define EXITS(name) \
  [[noreturn]] void __wrap_##name(int) { plait_rt_die(Death::kExit, #name, nullptr, 0, PLAIT_CALLER_PC); }

DIES(abort, Death::kAbort, nullptr)
DIES(__stack_chk_fail, Death::kStackSmashed, nullptr)
DIES(_ZSt9terminatev, Death::kTerminate, "std::terminate")
DIES(__cxa_pure_virtual, Death::kTerminate, "pure virtual function called")
DIES(__cxa_deleted_virtual, Death::kTerminate, "deleted virtual function called")
EXITS(exit)
EXITS(_exit)
EXITS(_Exit)
EXITS(quick_exit)

[[noreturn]] void __wrap___assert_fail(const char* text, const char* file, unsigned line, const char*) {
  plait_rt_die(Death::kAssert, text, file, line, PLAIT_CALLER_PC);
}
// _GLIBCXX_ASSERTIONS
[[noreturn]] void __wrap__ZSt21__glibcxx_assert_failPKciS0_S0_(const char* file, int line, const char*,
                                                               const char* text) {
  plait_rt_die(Death::kAssert, text, file, static_cast<uint32_t>(line), PLAIT_CALLER_PC);
}

// ---- jumps ------------------------------------------------------------------------------------------------------

// Called by the setjmp stubs (setjmp.S); `frame` is the caller's stack pointer.
void plait_rt_note_setjmp(const void* buffer, uintptr_t frame) {
  if (plait_rt_table != nullptr) plait_rt_table->setjmp_note(buffer, frame);
}

static void check_jump(const void* buffer, uintptr_t pc) {
  if (plait_rt_table == nullptr || plait_rt_table->longjmp_ok(buffer)) return;
  plait_rt_die(Death::kLongjmp, nullptr, nullptr, 0, pc);
}

[[noreturn]] void __wrap_longjmp(void* buffer, int value) {
  check_jump(buffer, PLAIT_CALLER_PC);
  __real_longjmp(buffer, value);
}
[[noreturn]] void __wrap__longjmp(void* buffer, int value) {
  check_jump(buffer, PLAIT_CALLER_PC);
  __real_longjmp(buffer, value);
}
[[noreturn]] void __wrap_siglongjmp(void* buffer, int value) {
  check_jump(buffer, PLAIT_CALLER_PC);
  __real_siglongjmp(buffer, value);
}
// _FORTIFY_SOURCE. The C library's check knows nothing of fibers, and the engine has just made a better one.
[[noreturn]] void __wrap___longjmp_chk(void* buffer, int value) {
  check_jump(buffer, PLAIT_CALLER_PC);
  __real_longjmp(buffer, value);
}

// ---- static objects ---------------------------------------------------------------------------------------------

// The guard's first byte is set when the object is there (the compiler tests it); the second is ours: somebody is
// making it.
int __wrap___cxa_guard_acquire(unsigned char* guard) {
  constexpr uint32_t kAcquire = uint32_t{__ATOMIC_ACQUIRE} << plait::kOrderShift;
  for (;;) {
    plait::runtime::announce<plait::kRmw | plait::kAtomic | plait::kMayFail>(guard, 8, PLAIT_CALLER_PC, kAcquire);
    if (guard[0] != 0) return 0;
    if (guard[1] == 0) break;
    if (plait_rt_table != nullptr) plait_rt_table->relax(PLAIT_CALLER_PC);
  }
  guard[1] = 1;
  ++plait_rt_hot->writes;
  return 1;
}

static void leave_guard(unsigned char* guard, unsigned char made, uintptr_t pc) {
  constexpr uint32_t kRelease = uint32_t{__ATOMIC_RELEASE} << plait::kOrderShift;
  plait::runtime::announce<plait::kWrite | plait::kAtomic>(guard, 8, pc, kRelease);
  guard[0] = made;
  guard[1] = 0;
}
void __wrap___cxa_guard_release(unsigned char* guard) { leave_guard(guard, 1, PLAIT_CALLER_PC); }
void __wrap___cxa_guard_abort(unsigned char* guard) { leave_guard(guard, 0, PLAIT_CALLER_PC); }

// Destructors of static and thread-local objects never run: an execution ends by undoing what it wrote, and when the
// target is unloaded nothing is left that they could clean up.
int __wrap___cxa_atexit(void (*)(void*), void*, void*) { return 0; }
int __wrap___cxa_thread_atexit(void (*)(void*), void*, void*) { return 0; }
}
