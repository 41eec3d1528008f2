// SPDX-License-Identifier: Apache-2.0
//
// operator new and delete inside a target, every variant, by their mangled names (gcc and clang on 64-bit Linux
// agree on them). The throwing ones throw std::bad_alloc when the engine's heap says no, through the C++ library's
// own function: a weak one, so that a target in plain C needs no C++ library.
#include "rt.h"

extern "C" void __real__ZSt17__throw_bad_allocv() __attribute__((weak));

namespace {

constexpr size_t kDefault = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* must(void* block, uintptr_t pc) {
  if (block != nullptr) [[likely]]
    return block;
  if (__real__ZSt17__throw_bad_allocv == nullptr || plait_rt_table == nullptr) {
    plait_rt_die(plait::Death::kTerminate, "operator new: out of memory", nullptr, 0, pc);
  }
  plait_rt_table->throw_note(pc);
  __real__ZSt17__throw_bad_allocv();
  __builtin_trap();
}

}  // namespace

#define NEW(name) \
  void* __wrap_##name(size_t size) { return must(plait_rt_allocate(size, kDefault, PLAIT_CALLER_PC), PLAIT_CALLER_PC); }
#define NEW_NOTHROW(name) \
  void* __wrap_##name(size_t size, const void*) { return plait_rt_allocate(size, kDefault, PLAIT_CALLER_PC); }
#define NEW_ALIGNED(name)                                                              \
  void* __wrap_##name(size_t size, size_t alignment) {                                 \
    return must(plait_rt_allocate(size, alignment, PLAIT_CALLER_PC), PLAIT_CALLER_PC); \
  }
#define NEW_ALIGNED_NOTHROW(name)                                   \
  void* __wrap_##name(size_t size, size_t alignment, const void*) { \
    return plait_rt_allocate(size, alignment, PLAIT_CALLER_PC);     \
  }
#define DELETE(name, ...) \
  void __wrap_##name(void* block __VA_OPT__(, ) __VA_ARGS__) { plait_rt_free(block, PLAIT_CALLER_PC); }

extern "C" {

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

DELETE(_ZdlPv)
DELETE(_ZdaPv)
DELETE(_ZdlPvm, size_t)
DELETE(_ZdaPvm, size_t)
DELETE(_ZdlPvRKSt9nothrow_t, const void*)
DELETE(_ZdaPvRKSt9nothrow_t, const void*)
DELETE(_ZdlPvSt11align_val_t, size_t)
DELETE(_ZdaPvSt11align_val_t, size_t)
DELETE(_ZdlPvmSt11align_val_t, size_t, size_t)
DELETE(_ZdaPvmSt11align_val_t, size_t, size_t)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, size_t, const void*)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, size_t, const void*)
}
