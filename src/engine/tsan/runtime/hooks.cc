// SPDX-License-Identifier: Apache-2.0
//
// The entry points that -fsanitize=thread calls before plain and volatile accesses (gcc 12 and later, clang 14 and
// later). They run once an access and are the product's inner loop: each must compile to straight code without a
// frame that ends in a jump to plait_rt_access when the fast path is closed. tests/engine/runtime_test.cc checks
// that, and that every name either compiler emits is defined.
#include "rt.h"

namespace {

using namespace plait;
using runtime::announce;

// A range lies on the own stack only as a whole; beyond a granule it is one announcement, however long.
template <uint32_t kKind>
PLAIT_INLINE void announce_range(const void* at, size_t size, uintptr_t pc) {
  if (size == 0 || runtime::on_own_stack(at, size)) return;
  if (size <= runtime::kGranule) return announce<kKind>(at, size, pc);
#ifndef PLAIT_NULL_HOOKS
  plait_rt_access(reinterpret_cast<uintptr_t>(at), size, kKind, pc);
#endif
}

}  // namespace

#define HOOK(name, kind, size)                                                                   \
  void name(void* at) {                                                                          \
    const auto address = reinterpret_cast<uintptr_t>(at);                                        \
    announce<kind>(address, size, 0, size <= 8 && (address & (size - 1)) == 0, PLAIT_CALLER_PC); \
  }
#define HOOK_PC(name, kind, size) \
  void name(void* at, void* pc) { announce<kind>(at, size, reinterpret_cast<uintptr_t>(pc)); }

#define HOOKS(size)                                                      \
  HOOK(__tsan_read##size, kRead, size)                                   \
  HOOK(__tsan_write##size, kWrite, size)                                 \
  HOOK(__tsan_read_write##size, kRmw, size)                              \
  HOOK(__tsan_unaligned_read##size, kRead, size)                         \
  HOOK(__tsan_unaligned_write##size, kWrite, size)                       \
  HOOK(__tsan_unaligned_read_write##size, kRmw, size)                    \
  HOOK(__tsan_volatile_read##size, kRead | kMarked, size)                \
  HOOK(__tsan_volatile_write##size, kWrite | kMarked, size)              \
  HOOK(__tsan_volatile_read_write##size, kRmw | kMarked, size)           \
  HOOK(__tsan_unaligned_volatile_read##size, kRead | kMarked, size)      \
  HOOK(__tsan_unaligned_volatile_write##size, kWrite | kMarked, size)    \
  HOOK(__tsan_unaligned_volatile_read_write##size, kRmw | kMarked, size) \
  HOOK_PC(__tsan_read##size##_pc, kRead, size)                           \
  HOOK_PC(__tsan_write##size##_pc, kWrite, size)

extern "C" {

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

// gcc: struct copies, packed fields, odd sizes. clang: not emitted.
void __tsan_read_range(void* at, size_t size) { announce_range<kRead>(at, size, PLAIT_CALLER_PC); }
void __tsan_write_range(void* at, size_t size) { announce_range<kWrite>(at, size, PLAIT_CALLER_PC); }
void __tsan_read_range_pc(void* at, size_t size, void* pc) {
  announce_range<kRead>(at, size, reinterpret_cast<uintptr_t>(pc));
}
void __tsan_write_range_pc(void* at, size_t size, void* pc) {
  announce_range<kWrite>(at, size, reinterpret_cast<uintptr_t>(pc));
}

// A virtual table pointer is a word like any other here.
void __tsan_vptr_read(void** at) { announce<kRead>(at, sizeof(void*), PLAIT_CALLER_PC); }
void __tsan_vptr_update(void** at, void*) { announce<kWrite>(at, sizeof(void*), PLAIT_CALLER_PC); }

// Nothing to do: the engine knows its contexts, and calls are not visible operations.
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

// Annotations that code for the sanitizer may carry (sanitizer/tsan_interface.h). They add order between threads;
// here order comes from what the code does.
void __tsan_acquire(void*) {}
void __tsan_release(void*) {}
void __tsan_mutex_create(void*, unsigned) {}
void __tsan_mutex_destroy(void*, unsigned) {}
void __tsan_mutex_pre_lock(void*, unsigned) {}
void __tsan_mutex_post_lock(void*, unsigned, int) {}
int __tsan_mutex_pre_unlock(void*, unsigned) { return 0; }
void __tsan_mutex_post_unlock(void*, unsigned) {}
void __tsan_mutex_pre_signal(void*, unsigned) {}
void __tsan_mutex_post_signal(void*, unsigned) {}
void __tsan_mutex_pre_divert(void*, unsigned) {}
void __tsan_mutex_post_divert(void*, unsigned) {}
}
