// SPDX-License-Identifier: Apache-2.0
//
// The objects that the allocator under test has handed out: who holds which bytes now, and which were freed and must
// turn up in some free structure again (conservation). Pure bookkeeping: what an overlap or a loss means is decided
// by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace plait {

struct Object {
  uintptr_t address = 0;
  uint32_t size = 0;  // bytes asked for
  bool live = false;
  uint8_t reports = 0;  // by the target's check: how often seen free or deferred
  ContextId holder;     // who allocated it last
  CpuId cpu{};          // and where
  uint16_t slot = 0;
  bool by_driver = false;  // who writes it as it likes
  uint64_t life = 0;       // number of this handing out
  ContextId freed_by;
  uint64_t freed_pc = 0;
};

class Objects {
 public:
  Objects();
  void clear();

  // The live object that shares a byte with [address, address + size), or null.
  const Object* overlapping_live(uintptr_t address, size_t size) const;
  // The object at exactly this address, live or freed; null: never handed out in this execution.
  Object* find(uintptr_t address);
  // Notes that the object was handed out; reuses the entry of an earlier life at the address.
  Object& hand_out(uintptr_t address, uint32_t size);
  std::vector<Object>& all() { return objects_; }
  const std::vector<Object>& all() const { return objects_; }
  // Lives are over on pages that went back: forgets freed objects in the range.
  void forget_freed(uintptr_t address, size_t size);

 private:
  static constexpr uint32_t kTableSize = 1024;  // power of two; far above the objects of one execution
  size_t place(uintptr_t address) const;
  std::vector<Object> objects_;
  struct Entry {
    uintptr_t address = 0;
    uint32_t generation = 0;
    uint32_t index = 0;
  };
  std::vector<Entry> table_;
  uint32_t generation_ = 1;
  uint64_t lives_ = 0;
};

}  // namespace plait
