// SPDX-License-Identifier: Apache-2.0
//
// The names of libatomic: what compilers call for 16 bytes without the right -m option and for objects of sizes that
// no processor does whole (clang; gcc for the latter). The code in the library itself would be invisible and
// would take a lock of its own. Defined under assembler names, because the compilers reserve the C ones.
#include "atomic_ops.h"

using namespace plait;
using namespace plait::runtime;

namespace {

// Objects of any size: one announcement each for the atomic object, so the operation is whole; the value arguments
// are ordinary memory of the caller.
bool differs(const volatile unsigned char* a, const volatile unsigned char* b, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return true;
  }
  return false;
}

void copy_whole(volatile void* to, const volatile void* from, size_t size) {
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const volatile unsigned char*>(from);
  for (size_t i = 0; i < size; ++i) out[i] = in[i];
}

// Not the fast path: these are rare, and longer than a granule.
template <uint32_t kKind>
void announce_object(const volatile void* at, size_t size, uint32_t bits, uintptr_t pc) {
#ifdef PLAIT_NULL_HOOKS
  (void)at, (void)size, (void)bits, (void)pc;
#else
  if (size == 0 || runtime::on_own_stack(const_cast<const void*>(at), size)) return;
  plait_rt_access(reinterpret_cast<uintptr_t>(at), size, kKind | bits, pc);
#endif
}

}  // namespace

#define LIBATOMIC(symbol) __asm__(symbol)

extern "C" {

uint128 plait_rt_load_16(const volatile void* at, int order) LIBATOMIC("__atomic_load_16");
uint128 plait_rt_load_16(const volatile void* at, int order) { return load<uint128>(at, order, PLAIT_CALLER_PC); }

void plait_rt_store_16(volatile void* at, uint128 value, int order) LIBATOMIC("__atomic_store_16");
void plait_rt_store_16(volatile void* at, uint128 value, int order) {
  store<uint128>(at, value, order, PLAIT_CALLER_PC);
}

uint128 plait_rt_exchange_16(volatile void* at, uint128 value, int order) LIBATOMIC("__atomic_exchange_16");
uint128 plait_rt_exchange_16(volatile void* at, uint128 value, int order) {
  return read_modify_write<uint128>(at, order, PLAIT_CALLER_PC, [=](uint128) { return value; });
}

bool plait_rt_cas_16(volatile void* at, void* expected, uint128 desired, int order, int)
    LIBATOMIC("__atomic_compare_exchange_16");
bool plait_rt_cas_16(volatile void* at, void* expected, uint128 desired, int order, int) {
  return compare_exchange<uint128>(at, static_cast<uint128*>(expected), desired, order, PLAIT_CALLER_PC);
}

void plait_rt_load_n(size_t size, const volatile void* at, void* result, int order) LIBATOMIC("__atomic_load");
void plait_rt_load_n(size_t size, const volatile void* at, void* result, int order) {
  announce_object<kWrite>(result, size, 0, PLAIT_CALLER_PC);
  announce_object<kRead | kAtomic>(at, size, order_bits(order), PLAIT_CALLER_PC);
  copy_whole(result, at, size);
}

void plait_rt_store_n(size_t size, volatile void* at, void* value, int order) LIBATOMIC("__atomic_store");
void plait_rt_store_n(size_t size, volatile void* at, void* value, int order) {
  announce_object<kRead>(value, size, 0, PLAIT_CALLER_PC);
  announce_object<kWrite | kAtomic>(at, size, order_bits(order), PLAIT_CALLER_PC);
  copy_whole(at, value, size);
}

void plait_rt_exchange_n(size_t size, volatile void* at, void* value, void* result, int order)
    LIBATOMIC("__atomic_exchange");
void plait_rt_exchange_n(size_t size, volatile void* at, void* value, void* result, int order) {
  announce_object<kRead>(value, size, 0, PLAIT_CALLER_PC);
  announce_object<kWrite>(result, size, 0, PLAIT_CALLER_PC);
  announce_object<kRmw | kAtomic | kMayFail>(at, size, order_bits(order), PLAIT_CALLER_PC);
  auto* object = static_cast<volatile unsigned char*>(at);
  auto* fresh = static_cast<unsigned char*>(value);
  auto* old = static_cast<unsigned char*>(result);
  if (differs(object, fresh, size)) ++plait_rt_hot->writes;
  for (size_t i = 0; i < size; ++i) {  // `value` and `result` may be one buffer
    const unsigned char before = object[i];
    object[i] = fresh[i];
    old[i] = before;
  }
}

bool plait_rt_cas_n(size_t size, volatile void* at, void* expected, void* desired, int order, int)
    LIBATOMIC("__atomic_compare_exchange");
bool plait_rt_cas_n(size_t size, volatile void* at, void* expected, void* desired, int order, int) {
  // Both ways at once: once the object was looked at, nothing may come between.
  announce_object<kRmw>(expected, size, 0, PLAIT_CALLER_PC);
  announce_object<kRead>(desired, size, 0, PLAIT_CALLER_PC);
  announce_object<kRmw | kAtomic | kMayFail>(at, size, order_bits(order), PLAIT_CALLER_PC);
  auto* object = static_cast<volatile unsigned char*>(at);
  if (!differs(object, static_cast<unsigned char*>(expected), size)) {
    if (differs(object, static_cast<unsigned char*>(desired), size)) ++plait_rt_hot->writes;
    copy_whole(at, desired, size);
    return true;
  }
  copy_whole(expected, at, size);
  return false;
}

bool plait_rt_is_lock_free(size_t size, const volatile void*) LIBATOMIC("__atomic_is_lock_free");
bool plait_rt_is_lock_free(size_t size, const volatile void*) { return size <= 16 && (size & (size - 1)) == 0; }
}
