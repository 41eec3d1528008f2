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
  kWatched = 5,   // as kOwned, and the engine is to be asked about each access
  kWatchedLive = 6,  // the same of kLive
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

// What the order checks remember of an access: a stamp, from the low bits up clock 22, context 5, bytes of the granule
// 8, whether it meant less than the granule 1, CPU 3, pc within the module 25. Clocks never start over between
// executions: one that is not above Hot::order_base is from an earlier execution and orders before everything.
//
// Of a granule the last write and the last read are kept, and those of its upper half apart when halves are accessed:
// half[0] is of the granule or of its lower half, half[1] of the upper half.
struct OrderCell {
  uint64_t write;
  uint64_t read;
};
struct OrderCells {
  OrderCell half[2];
};
constexpr uint32_t kStampClockBits = 22;
constexpr uint32_t kStampContextShift = kStampClockBits;
constexpr uint32_t kStampContextBits = 5;
constexpr uint32_t kStampBytesShift = kStampContextShift + kStampContextBits;
constexpr uint64_t kStampPart = uint64_t{1} << (kStampBytesShift + 8);
constexpr uint32_t kStampCpuShift = kStampBytesShift + 9;
constexpr uint32_t kStampPcShift = kStampCpuShift + 3;
constexpr uint32_t kStampPcBits = 25;
constexpr uint64_t kStampClockMask = (uint64_t{1} << kStampClockBits) - 1;
constexpr uint64_t kStampBytesMask = uint64_t{0xff} << kStampBytesShift;
constexpr uint64_t kStampIdentity = (uint64_t{1} << kStampCpuShift) - 1;  // clock, context, bytes and part
static_assert(kStampPcShift + kStampPcBits == 64);

// Where the stack of whoever is inlined into ends.
[[gnu::always_inline]] inline uintptr_t stack_pointer() {
  uintptr_t value;
#if defined(__aarch64__)
  __asm__ volatile("mov %0, sp" : "=r"(value));
#else
  __asm__ volatile("movq %%rsp, %0" : "=r"(value));
#endif
  return value;
}

struct Hot {
  int64_t fuel;             // visible operations left before the engine must be asked; below 0: asked
  uintptr_t stack_lo;       // the running context's own stack; size 0 once anybody else touched it
  uintptr_t stack_size;
  uintptr_t stack_limit;    // code under test may not come below: the rest is the engine's
  uintptr_t arena_base;     // simulated pages
  uintptr_t arena_size;
  uint32_t* arena_meta;
  uintptr_t data_base;      // the target's .data and .bss
  uintptr_t data_size;
  uint32_t* data_meta;
  uint32_t write_ok;        // (epoch << kStateBits) | kOwned: the granule is the target's and already logged
  uint32_t arena_ok;        // the same in the arena; in a driver with kLive, as it may write what it was handed
  uint64_t writes;          // words changed so far in this execution; spin detection compares it
  OrderCells* arena_cells;  // one a granule, as arena_meta; null: order is not checked
  OrderCells* data_cells;
  const uint32_t* order_seen;  // the running context's vector clock
  uint64_t order_stamp;        // its stamp, without bytes and pc
  uint64_t order_base;         // order_base + 1 is the clock that everybody has seen from the start
  uintptr_t code_base;
};

// ---- order of plain accesses (check/order.h): inline, because it is paid for each

// True when the access that left this stamp is known to come before whatever the running context does now, and
// forgetting it in favour of `me` loses nothing.
[[gnu::always_inline]] inline bool order_superseded(const Hot& hot, uint64_t stamp, uint64_t me) {
  const uint64_t clock = stamp & kStampClockMask;
  const uint32_t context = static_cast<uint32_t>(stamp >> kStampContextShift) & ((1u << kStampContextBits) - 1);
  const bool same_bytes = ((stamp ^ me) & (kStampBytesMask | kStampPart)) == 0;
  return clock <= hot.order_seen[context] && (same_bytes || clock <= hot.order_base);
}

// Notes a plain access of the whole granule or within one half; false: more has to be known, ask check/order.h.
// `bytes` is of order_bytes.
template <bool kIsWrite>
[[gnu::always_inline]] inline bool order_simple(const Hot& hot, OrderCell& cell, uint64_t bytes, uintptr_t pc) {
  const uint64_t me = hot.order_stamp | bytes;
  if ((((kIsWrite ? cell.write : cell.read) ^ me) & kStampIdentity) == 0) return true;  // nothing passed on since
  if (!order_superseded(hot, cell.write, me) || !order_superseded(hot, cell.read, me)) return false;
  (kIsWrite ? cell.write : cell.read) = me | (pc - hot.code_base) << kStampPcShift;
  return true;
}

// Before the upper half is looked at: false when the granule was accessed as a whole. Otherwise it cannot be so any
// more without somebody noticing.
[[gnu::always_inline]] inline bool order_split(const Hot& hot, OrderCell& lower) {
  const auto whole = [&hot](uint64_t stamp) { return (stamp & kStampPart) == 0 && (stamp & kStampClockMask) > hot.order_base; };
  if (whole(lower.write) || whole(lower.read)) return false;
  if ((lower.write & kStampClockMask) <= hot.order_base) {
    lower.write = (hot.order_base + 1) | uint64_t{0x0f} << kStampBytesShift | kStampPart;
  }
  return true;
}

[[gnu::always_inline]] inline uint64_t order_bytes(uintptr_t address, size_t size) {
  const uint64_t bytes = (uint64_t{1} << size) - 1;
  return bytes << (address & ((1u << kGranuleShift) - 1)) << kStampBytesShift | (size < 8 ? kStampPart : 0);
}

// A plain access of at most 8 bytes within a granule, of the whole or within a half.
template <bool kIsWrite>
[[gnu::always_inline]] inline bool order_granule(const Hot& hot, OrderCells& cells, uintptr_t address, size_t size, uintptr_t pc) {
  const uint64_t bytes = order_bytes(address, size);
  if (size == 8) return order_simple<kIsWrite>(hot, cells.half[0], bytes, pc);
  const uintptr_t half = (address >> 2) & 1;
  if (((address & 3) + size) > 4) return false;
  if (half != 0 && !order_split(hot, cells.half[0])) return false;
  return order_simple<kIsWrite>(hot, cells.half[half], bytes, pc);
}

}  // namespace plait
