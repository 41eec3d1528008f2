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
};

}  // namespace plait
