// SPDX-License-Identifier: Apache-2.0
//
// The runtime archive, linked whole into every target: the compiler's access hooks, the wrapped C and C++ library
// functions and the thunks of plait/kernel.h. This header holds what all of them share: the way into the engine and
// the fast path of an announcement.
//
// Rules for this folder. Everything is hidden (-fvisibility=hidden) and prefixed, because it shares a link namespace
// with the target. Nothing may call memcpy, memset, malloc or operator new, not even implicitly by copying a struct:
// inside a target those names lead back here. Nothing may need libstdc++, because targets may be plain C.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/hot.h"
#include "tsan/table.h"

// Address of the instruction after the call, in the code that called the function in which this is written.
#define PLAIT_CALLER_PC (reinterpret_cast<uintptr_t>(__builtin_return_address(0)))
#define PLAIT_INLINE [[gnu::always_inline]] inline
// In a loop over bytes: keeps the compiler from recognising memset, memcpy or strlen in it and calling that.
#define PLAIT_PLAIN_LOOP __asm__ volatile("")

// Said at the declarations as well: otherwise every access to plait_rt_hot would go through the GOT.
#pragma GCC visibility push(hidden)
extern "C" {
// Before plait_bind this is a Hot whose own stack is all of memory: static constructors announce nothing.
extern plait::Hot* plait_rt_hot;
// Null before plait_bind.
extern const plait::RuntimeTable* plait_rt_table;

// Out of line, so that the fast path has no frame. Fuel is not taken yet for the access.
void plait_rt_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
void plait_rt_order(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
void plait_rt_overflow(uintptr_t pc);
// The C or C++ library keeps this for the running context: accesses to it are not announced from now on.
void plait_rt_note_own(const void* block, size_t size);
// A target's static constructor called what only a running scenario may call: says so and aborts.
[[noreturn]] void plait_rt_unbound();
// Ends the execution; before plait_bind, the process.
[[noreturn]] void plait_rt_die(plait::Death how, const char* text, const char* file, uint32_t line, uintptr_t pc);

void* plait_rt_allocate(size_t size, size_t alignment, uintptr_t pc);
void plait_rt_free(void* block, uintptr_t pc);

// Announced granule by granule, then done (memory.cc).
void plait_rt_move(void* to, const void* from, size_t size, uintptr_t pc);
void plait_rt_fill(void* to, int value, size_t size, uintptr_t pc);
}
#pragma GCC visibility pop

namespace plait::runtime {

constexpr size_t kGranule = size_t{1} << kGranuleShift;

PLAIT_INLINE const RuntimeTable& engine() {
  if (plait_rt_table == nullptr) [[unlikely]]
    plait_rt_unbound();
  return *plait_rt_table;
}

// The metadata word of the granule at `address`: kUnmapped when that is neither simulated memory nor the target's own
// data. Both ranges begin and end on granules, so a piece of one granule lies wholly inside.
struct Granule {
  uint32_t meta;
  uint32_t ok;  // what it has to be
  OrderCells* cells;
  uintptr_t index;
};
PLAIT_INLINE Granule granule(const Hot& hot, uintptr_t address) {
  const uintptr_t in_arena = address - hot.arena_base;
  if (in_arena < hot.arena_size) {
    return {hot.arena_meta[in_arena >> kGranuleShift], hot.arena_ok, hot.arena_cells, in_arena >> kGranuleShift};
  }
  const uintptr_t in_data = address - hot.data_base;
  if (in_data < hot.data_size) {
    return {hot.data_meta[in_data >> kGranuleShift], hot.write_ok, hot.data_cells, in_data >> kGranuleShift};
  }
  return {kUnmapped, kOwned, nullptr, 0};
}

// Announces an access. `one_granule` says whether it stays within 8 aligned bytes; only then is the fast path open.
//
// The own stack comes first, because it costs no fuel. Fuel is taken only when everything else is in order: the
// engine takes it itself for the accesses that it is asked about. With kMayFail the caller counts the change.
template <uint32_t kKind>
PLAIT_INLINE void announce(uintptr_t address, size_t size, uint32_t order_bits, bool one_granule, uintptr_t pc) {
#ifdef PLAIT_NULL_HOOKS  // for measuring what announcing costs
  (void)address, (void)size, (void)order_bits, (void)one_granule, (void)pc;
#else
  Hot& hot = *plait_rt_hot;
  if (address - hot.stack_lo < hot.stack_size) return;
  // Here, and not where the guard page is hit: that would depend on how much stack the engine happens to use.
  if (stack_pointer() < hot.stack_limit) [[unlikely]]
    return plait_rt_overflow(pc);
  const int64_t fuel = hot.fuel;
  if (one_granule && fuel > 0) [[likely]] {
    const Granule at = granule(hot, address);
    const bool granted = (kKind & kWrite) != 0 ? at.meta == at.ok : ((at.meta ^ at.ok) & kStateMask) == 0;
    if (granted) [[likely]] {
      hot.fuel = fuel - 1;
      if constexpr ((kKind & kWrite) != 0 && (kKind & kMayFail) == 0) ++hot.writes;
      if (at.cells == nullptr) return;
      if constexpr ((kKind & (kMarked | kAtomic)) == 0) {
        if (order_granule<(kKind & kWrite) != 0>(hot, at.cells[at.index], address, size, pc)) [[likely]]
          return;
      }
      return plait_rt_order(address, size, kKind | order_bits, pc);
    }
  }
  plait_rt_access(address, size, kKind | order_bits, pc);
#endif
}

// Any address, any size of at most 16.
template <uint32_t kKind>
PLAIT_INLINE void announce(const volatile void* at, size_t size, uintptr_t pc, uint32_t order_bits = 0) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  announce<kKind>(address, size, order_bits, (address & (kGranule - 1)) + size <= kGranule, pc);
}

PLAIT_INLINE bool on_own_stack(const void* at, size_t size) {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(at) - plait_rt_hot->stack_lo;
  return offset < plait_rt_hot->stack_size && size <= plait_rt_hot->stack_size - offset;
}

}  // namespace plait::runtime
