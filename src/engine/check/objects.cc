// SPDX-License-Identifier: Apache-2.0
#include "check/objects.h"

#include "base/check.h"

namespace plait {

Objects::Objects() : table_(kTableSize) { objects_.reserve(kTableSize / 2); }

void Objects::clear() {
  objects_.clear();
  lives_ = 0;
  if (++generation_ == 0) {
    table_.assign(table_.size(), Entry{});
    generation_ = 1;
  }
}

const Object* Objects::overlapping_live(uintptr_t address, size_t size) const {
  for (const Object& object : objects_) {
    if (object.live && address < object.address + object.size && object.address < address + size) return &object;
  }
  return nullptr;
}

size_t Objects::place(uintptr_t address) const {
  const size_t mask = table_.size() - 1;
  size_t at = (address >> 3) * 0x9e3779b1u & mask;
  while (table_[at].generation == generation_ && table_[at].address != address) at = (at + 1) & mask;
  return at;
}

Object* Objects::find(uintptr_t address) {
  const Entry& entry = table_[place(address)];
  return entry.generation == generation_ ? &objects_[entry.index] : nullptr;
}

Object& Objects::hand_out(uintptr_t address, uint32_t size) {
  if (objects_.size() * 2 >= table_.size()) {
    table_.assign(table_.size() * 2, Entry{});
    generation_ = 1;
    for (uint32_t i = 0; i < objects_.size(); ++i) {
      table_[place(objects_[i].address)] = {objects_[i].address, generation_, i};
    }
  }
  Entry& entry = table_[place(address)];
  if (entry.generation != generation_) {
    entry = {address, generation_, static_cast<uint32_t>(objects_.size())};
    objects_.push_back({});
  }
  Object& object = objects_[entry.index];
  if (object.size != size) forget_freed(address, size);  // what lay here before was merged or carved anew
  object = Object{};
  object.address = address;
  object.size = size;
  object.live = true;
  object.life = ++lives_;
  return object;
}

void Objects::forget_freed(uintptr_t address, size_t size) {
  for (Object& object : objects_) {
    // The entry stays, with no size: it overlaps nothing and is owed by nobody.
    if (!object.live && object.address - address < size) object.size = 0;
  }
}

}  // namespace plait
