// SPDX-License-Identifier: Apache-2.0
//
// What the access hooks compiled into a target share with the engine. The hooks run once a memory access, so their
// fast path reads only this struct and one word of metadata: no call, no allocation, no lock.
//
// The engine grants `fuel` visible operations at a time. While fuel lasts, nobody else may run, so an access needs no
// decision; it only has to be a legal one, and a write has to be in the undo log. Everything else goes to
// RuntimeTable::access. plain C++ without headers of the engine: it is compiled into the runtime archive too.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait {

// A metadata word describes 8 bytes (a granule): low 3 bits its state, upper bits the epoch of its last undo entry.
constexpr uint32_t kGranuleShift = 3;
constexpr uint32_t kStateBits = 3;
constexpr uint32_t kStateMask = (1u << kStateBits) - 1;

enum GranuleState : uint32_t {
  kUnmapped = 0,  // never handed out
  kOwned = 1,     // the target's: free to read and write
  kLive = 2,      // inside an object that a caller holds: an allocator may read it, not write it
  kFreedPage = 3, // on a page that was given back
  kReadOnly = 4,  // constants
};

// How an access was announced. Values are part of the trace format.
enum AccessKind : uint32_t {
  kRead = 1,
  kWrite = 2,
  kRmw = kRead | kWrite,
  kMarked = 4,    // volatile: unsynchronised on purpose
  kAtomic = 8,    // C11 atomic; memory order in bits kOrderShift..
  kMayFail = 16,  // every atomic read-modify-write: the hook itself bumps `writes` if the word changed
};
constexpr uint32_t kOrderShift = 8;  // __ATOMIC_* value, 0..5

// What the order checks remember of a granule: its last write and its last read. A stamp is, from the low bits up:
// clock 22, context 5, bytes of the granule 8, CPU 3, pc within the module 26. Clocks never start over between
// executions: one that is not above Hot::order_base is from an earlier execution and orders before everything.
struct OrderCell {
  uint64_t write;
  uint64_t read;
};
constexpr uint32_t kStampClockBits = 22;
constexpr uint32_t kStampContextShift = kStampClockBits;
constexpr uint32_t kStampContextBits = 5;
constexpr uint32_t kStampBytesShift = kStampContextShift + kStampContextBits;
constexpr uint32_t kStampCpuShift = kStampBytesShift + 8;
constexpr uint32_t kStampPcShift = kStampCpuShift + 3;
constexpr uint32_t kStampPcBits = 26;
constexpr uint64_t kStampClockMask = (uint64_t{1} << kStampClockBits) - 1;
constexpr uint64_t kStampBytesMask = uint64_t{0xff} << kStampBytesShift;
constexpr uint64_t kStampIdentity = (uint64_t{1} << kStampCpuShift) - 1;  // clock, context and bytes
static_assert(kStampPcShift + kStampPcBits <= 64);

struct Hot {
  int64_t fuel;             // visible operations left before the engine must be asked; below 0: asked
  uintptr_t stack_lo;       // the running context's own stack; size 0 once anybody else touched it
  uintptr_t stack_size;
  uintptr_t arena_base;     // simulated pages
  uintptr_t arena_size;
  uint32_t* arena_meta;
  uintptr_t data_base;      // the target's .data and .bss
  uintptr_t data_size;
  uint32_t* data_meta;
  uint32_t write_ok;        // (epoch << kStateBits) | kOwned: the granule is the target's and already logged
  uint64_t writes;          // words changed so far in this execution; spin detection compares it
  OrderCell* arena_cells;   // one a granule, as arena_meta; null: order is not checked
  OrderCell* data_cells;
  const uint32_t* order_seen;  // the running context's vector clock
  uint64_t order_stamp;        // its stamp, without bytes and pc
  uint64_t order_base;
  uintptr_t code_base;
};

// ---- order of plain accesses (check/order.h): inline, because it is paid for each

// True when the access that left this stamp is known to come before whatever the running context does now, and
// forgetting it in favour of `me` loses nothing.
[[gnu::always_inline]] inline bool order_superseded(const Hot& hot, uint64_t stamp, uint64_t me) {
  const uint64_t clock = stamp & kStampClockMask;
  const uint32_t context = static_cast<uint32_t>(stamp >> kStampContextShift) & ((1u << kStampContextBits) - 1);
  return clock <= hot.order_seen[context] && (((stamp ^ me) & kStampBytesMask) == 0 || clock <= hot.order_base);
}

// Notes a plain access within one granule; false: more has to be known, ask check/order.h. `bytes` lies shifted.
template <bool kIsWrite>
[[gnu::always_inline]] inline bool order_simple(const Hot& hot, OrderCell& cell, uint64_t bytes, uintptr_t pc) {
  const uint64_t me = hot.order_stamp | bytes;
  if ((((kIsWrite ? cell.write : cell.read) ^ me) & kStampIdentity) == 0) return true;  // again, with nothing given away since
  if (!order_superseded(hot, cell.write, me) || !order_superseded(hot, cell.read, me)) return false;
  (kIsWrite ? cell.write : cell.read) = me | (pc - hot.code_base) << kStampPcShift;
  return true;
}

[[gnu::always_inline]] inline uint64_t order_bytes(uintptr_t address, size_t size) {
  const uint64_t bytes = (uint64_t{1} << size) - 1;
  return bytes << (address & ((1u << kGranuleShift) - 1)) << kStampBytesShift;
}

}  // namespace plait
