// SPDX-License-Identifier: Apache-2.0
//
// Atomic operations as -fsanitize=thread has them: the compiler replaces each by a call that has to perform it too.
#include "atomic_ops.h"

using namespace plait::runtime;

#define RMW(bits, T, name, result)                                                                              \
  T __tsan_atomic##bits##_##name(volatile T* at, T operand, int order) {                                        \
    return read_modify_write<T>(at, order, PLAIT_CALLER_PC, [=]([[maybe_unused]] T before) { return result; }); \
  }

#define ATOMICS(bits, T)                                                                                        \
  T __tsan_atomic##bits##_load(const volatile T* at, int order) { return load<T>(at, order, PLAIT_CALLER_PC); } \
  void __tsan_atomic##bits##_store(volatile T* at, T value, int order) {                                        \
    store<T>(at, value, order, PLAIT_CALLER_PC);                                                                \
  }                                                                                                             \
  RMW(bits, T, exchange, operand)                                                                               \
  RMW(bits, T, fetch_add, before + operand)                                                                     \
  RMW(bits, T, fetch_sub, before - operand)                                                                     \
  RMW(bits, T, fetch_and, before& operand)                                                                      \
  RMW(bits, T, fetch_or, before | operand)                                                                      \
  RMW(bits, T, fetch_xor, before ^ operand)                                                                     \
  RMW(bits, T, fetch_nand, ~(before & operand))                                                                 \
  bool __tsan_atomic##bits##_compare_exchange_strong(volatile T* at, T* expected, T desired, int order, int) {  \
    return compare_exchange<T>(at, expected, desired, order, PLAIT_CALLER_PC);                                  \
  }                                                                                                             \
  bool __tsan_atomic##bits##_compare_exchange_weak(volatile T* at, T* expected, T desired, int order, int) {    \
    return compare_exchange<T>(at, expected, desired, order, PLAIT_CALLER_PC);                                  \
  }                                                                                                             \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* at, T expected, T desired, int order, int) {         \
    return compare_exchange_value<T>(at, expected, desired, order, PLAIT_CALLER_PC);                            \
  }

extern "C" {

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
ATOMICS(128, uint128)

void __tsan_atomic_thread_fence(int order) {
#ifdef PLAIT_NULL_HOOKS
  (void)order;
#else
  if (plait_rt_table != nullptr) plait_rt_table->fence(static_cast<uint32_t>(order) & 7u, PLAIT_CALLER_PC);
#endif
}
// Binds the compiler only, and it has been bound: not a visible operation.
void __tsan_atomic_signal_fence(int) {}
}
