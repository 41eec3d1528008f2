// SPDX-License-Identifier: Apache-2.0
//
// memcpy, memmove and memset of the target, as what they are on the machine: a loop of accesses. Each granule of the
// destination is announced and done before the next, so a copy can be cut in two anywhere, as the real one can.
#include "rt.h"

extern "C" {
void* __real_memmove(void* to, const void* from, size_t size);
void* __real_memset(void* to, int value, size_t size);
}

#ifdef PLAIT_NULL_HOOKS

void plait_rt_move(void* to, const void* from, size_t size, uintptr_t) { __real_memmove(to, from, size); }
void plait_rt_fill(void* to, int value, size_t size, uintptr_t) { __real_memset(to, value, size); }

#else

namespace {

using namespace plait;
using runtime::announce;
using runtime::kGranule;

PLAIT_INLINE uintptr_t number(const void* at) { return reinterpret_cast<uintptr_t>(at); }

// One announced piece of at most a granule, through a register.
PLAIT_INLINE void move_piece(char* to, const char* from, size_t size, uintptr_t pc) {
  if (size == kGranule) [[likely]] {
    announce<kRead>(from, kGranule, pc);
    uint64_t word;
    __builtin_memcpy(&word, from, sizeof word);
    announce<kWrite>(to, kGranule, pc);
    __builtin_memcpy(to, &word, sizeof word);
    return;
  }
  announce<kRead>(from, size, pc);
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) word |= uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  announce<kWrite>(to, size, pc);
  for (size_t i = 0; i < size; ++i) {
    PLAIT_PLAIN_LOOP;
    to[i] = static_cast<char>(word >> (8 * i));
  }
}

}  // namespace

void plait_rt_move(void* to_start, const void* from_start, size_t size, uintptr_t pc) {
  if (size == 0) return;
  if (runtime::on_own_stack(to_start, size) && runtime::on_own_stack(from_start, size)) {
    __real_memmove(to_start, from_start, size);
    return;
  }
  auto* to = static_cast<char*>(to_start);
  const auto* from = static_cast<const char*>(from_start);
  const bool backwards = number(to) - number(from) < size;  // the end of the source would be overwritten unread
  size_t done = 0;
  while (done < size) {
    const size_t left = size - done;
    if (backwards) {
      const size_t ragged = (number(to) + left) % kGranule;
      const size_t wanted = ragged == 0 ? kGranule : ragged;
      const size_t piece = wanted < left ? wanted : left;
      move_piece(to + left - piece, from + left - piece, piece, pc);
      done += piece;
    } else {
      const size_t wanted = kGranule - (number(to) + done) % kGranule;
      const size_t piece = wanted < left ? wanted : left;
      move_piece(to + done, from + done, piece, pc);
      done += piece;
    }
  }
}

void plait_rt_fill(void* to_start, int value, size_t size, uintptr_t pc) {
  if (size == 0) return;
  if (runtime::on_own_stack(to_start, size)) {
    __real_memset(to_start, value, size);
    return;
  }
  auto* to = static_cast<char*>(to_start);
  const uint64_t word = 0x0101010101010101u * static_cast<unsigned char>(value);
  for (size_t done = 0; done < size;) {
    const size_t wanted = kGranule - (number(to) + done) % kGranule;
    const size_t piece = wanted < size - done ? wanted : size - done;
    announce<kWrite>(to + done, piece, pc);
    if (piece == kGranule) [[likely]] {
      __builtin_memcpy(to + done, &word, sizeof word);
    } else {
      for (size_t i = 0; i < piece; ++i) {
        PLAIT_PLAIN_LOOP;
        to[done + i] = static_cast<char>(value);
      }
    }
    done += piece;
  }
}

#endif

extern "C" {

#define MOVE_AS(name)                                   \
  void* name(void* to, const void* from, size_t size) { \
    plait_rt_move(to, from, size, PLAIT_CALLER_PC);     \
    return to;                                          \
  }
#define MOVE_CHECKED_AS(name)                                                                            \
  void* name(void* to, const void* from, size_t size, size_t room) {                                     \
    if (size > room) plait_rt_die(plait::Death::kAbort, "buffer overflow", nullptr, 0, PLAIT_CALLER_PC); \
    plait_rt_move(to, from, size, PLAIT_CALLER_PC);                                                      \
    return to;                                                                                           \
  }

// Overlapping memcpy behaves as memmove: undefined in C, and in the allocators that do it anyway, what they meant.
MOVE_AS(__wrap_memcpy)
MOVE_AS(__wrap_memmove)
MOVE_AS(__tsan_memcpy)
MOVE_AS(__tsan_memmove)
MOVE_CHECKED_AS(__wrap___memcpy_chk)
MOVE_CHECKED_AS(__wrap___memmove_chk)

void* __wrap_mempcpy(void* to, const void* from, size_t size) {
  plait_rt_move(to, from, size, PLAIT_CALLER_PC);
  return static_cast<char*>(to) + size;
}

void* __wrap_memset(void* to, int value, size_t size) {
  plait_rt_fill(to, value, size, PLAIT_CALLER_PC);
  return to;
}
void* __tsan_memset(void* to, int value, size_t size) {
  plait_rt_fill(to, value, size, PLAIT_CALLER_PC);
  return to;
}
void* __wrap___memset_chk(void* to, int value, size_t size, size_t room) {
  if (size > room) plait_rt_die(plait::Death::kAbort, "buffer overflow", nullptr, 0, PLAIT_CALLER_PC);
  plait_rt_fill(to, value, size, PLAIT_CALLER_PC);
  return to;
}
void __wrap_bzero(void* to, size_t size) { plait_rt_fill(to, 0, size, PLAIT_CALLER_PC); }
}
