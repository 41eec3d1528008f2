// SPDX-License-Identifier: Apache-2.0
//
// Atomic operations: announce, then do. One OS thread runs all contexts and nobody runs between the announcement's
// return and the operation, so the operation itself is plain code.
//
// Every read-modify-write that may leave the word as it was is announced kMayFail and counts its change here: a
// test-and-set or a compare-exchange that spins must not look like progress.
#pragma once

#include "rt.h"

namespace plait::runtime {

__extension__ typedef unsigned __int128 uint128;

// Compilers add hints above the C11 order (lock elision, __sync origin).
PLAIT_INLINE uint32_t order_bits(int order) { return (static_cast<uint32_t>(order) & 7u) << kOrderShift; }

// Code under test may get alignment wrong: go through memcpy, which the compiler turns into one move.
template <typename T>
PLAIT_INLINE T get(const volatile void* at) {
  T value;
  __builtin_memcpy(&value, const_cast<const void*>(at), sizeof value);
  return value;
}
template <typename T>
PLAIT_INLINE void put(volatile void* at, T value) {
  __builtin_memcpy(const_cast<void*>(at), &value, sizeof value);
}

template <typename T>
PLAIT_INLINE T load(const volatile void* at, int order, uintptr_t pc) {
  announce<kRead | kAtomic>(at, sizeof(T), pc, order_bits(order));
  return get<T>(at);
}

template <typename T>
PLAIT_INLINE void store(volatile void* at, T value, int order, uintptr_t pc) {
  announce<kWrite | kAtomic>(at, sizeof(T), pc, order_bits(order));
  put(at, value);
}

template <typename T, typename Change>
PLAIT_INLINE T read_modify_write(volatile void* at, int order, uintptr_t pc, Change change) {
  announce<kRmw | kAtomic | kMayFail>(at, sizeof(T), pc, order_bits(order));
  const T before = get<T>(at);
  const T after = static_cast<T>(change(before));
  put(at, after);
  if (after != before) ++plait_rt_hot->writes;
  return before;
}

// Returns what was there; nothing is written unless that equals `expected`. Never fails without reason.
template <typename T>
PLAIT_INLINE T compare_exchange_value(volatile void* at, T expected, T desired, int order, uintptr_t pc) {
  return read_modify_write<T>(at, order, pc, [=](T before) { return before == expected ? desired : before; });
}

// `expected` is a variable of the target as well: usually on its stack, but nothing says so.
template <typename T>
PLAIT_INLINE bool compare_exchange(volatile void* at, T* expected, T desired, int order, uintptr_t pc) {
  announce<kRead>(expected, sizeof(T), pc);
  const T wanted = get<T>(expected);
  const T before = compare_exchange_value<T>(at, wanted, desired, order, pc);
  if (before == wanted) return true;
  announce<kWrite>(expected, sizeof(T), pc);
  put(expected, before);
  return false;
}

}  // namespace plait::runtime
