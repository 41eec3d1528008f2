// SPDX-License-Identifier: Apache-2.0
//
// What earlier executions of a scenario did, as far as a strategy saw it: which context touched which 8 bytes or lock
// how often. Places are numbered as they are met, so that nothing depends on their addresses.
#pragma once

#include <array>
#include <vector>

#include "strategy/intrusions.h"

namespace plait {

class History {
 public:
  static constexpr uint32_t kPlacesMax = 512;  // what is met later is not looked at
  static constexpr uint32_t kNone = ~0u;

  History() : index_(kBuckets), places_() {
    places_.reserve(64);
    shared_.reserve(64);
  }

  void begin() { ++execution_; }

  // The number of a place; kNone: never met.
  uint32_t find(uintptr_t granule) const {
    for (uint32_t at = bucket(granule);; at = (at + 1) % kBuckets) {
      if (index_[at].granule == granule) return index_[at].place;
      if (index_[at].granule == 0) return kNone;
    }
  }

  // A step of this context there; the number of the place, kNone when there are too many. granule != 0.
  uint32_t note(uint32_t key, const Footprint& step) {
    const uint32_t place = find_or_add(step.granule);
    if (place == kNone) return kNone;
    Place& it = places_[place];
    Count& count = it.counts[key];
    count.fold(execution_);
    ++count.now;
    it.users |= uint64_t{1} << key;
    it.written = it.written || step.writes;
    if (!it.shared && it.written && (it.users & (it.users - 1)) != 0) {
      it.shared = true;
      shared_.push_back(place);
    }
    return place;
  }

  // Places that more than one context touched, one of them writing, in the order in which that became known.
  const std::vector<uint32_t>& shared() const { return shared_; }
  bool touches(uint32_t place, uint32_t key) const { return places_[place].users >> key & 1; }
  uintptr_t granule(uint32_t place) const { return places_[place].granule; }
  uint64_t users(uint32_t place) const { return places_[place].users; }
  // How often this context will touch the place in an execution, going by the earlier ones.
  uint32_t expected(uint32_t place, uint32_t key) {
    Count& count = places_[place].counts[key];
    count.fold(execution_);
    return count.expected;
  }

 private:
  static constexpr uint32_t kBuckets = 4 * kPlacesMax;

  struct Count {
    uint32_t execution = 0;  // the last one in which it came
    uint32_t now = 0;        // times in that one
    uint32_t expected = 0;   // mean of before, the later ones weighing more

    void fold(uint32_t current) {
      if (execution == current) return;
      if (execution != 0) expected = expected == 0 ? now : (expected + now + 1) / 2;
      execution = current;
      now = 0;
    }
  };
  struct Place {
    uintptr_t granule = 0;
    uint64_t users = 0;  // bit per key
    bool written = false;
    bool shared = false;
    std::array<Count, kKeys> counts{};
  };
  struct Bucket {
    uintptr_t granule = 0;
    uint32_t place = 0;
  };

  static uint32_t bucket(uintptr_t granule) { return static_cast<uint32_t>(mix(1, granule) >> 32) % kBuckets; }

  uint32_t find_or_add(uintptr_t granule) {
    uint32_t at = bucket(granule);
    while (index_[at].granule != 0) {
      if (index_[at].granule == granule) return index_[at].place;
      at = (at + 1) % kBuckets;
    }
    if (places_.size() == kPlacesMax) return kNone;
    index_[at] = {granule, static_cast<uint32_t>(places_.size())};
    places_.emplace_back().granule = granule;
    return index_[at].place;
  }

  uint32_t execution_ = 0;
  std::vector<Bucket> index_;
  std::vector<Place> places_;
  std::vector<uint32_t> shared_;
};

}  // namespace plait
