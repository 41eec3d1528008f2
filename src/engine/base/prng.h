// SPDX-License-Identifier: Apache-2.0
//
// The engine's only source of chance: SplitMix64 (Steele, Lea, Flood 2014). Small state, any seed is a good one, the
// same numbers on every platform.
#pragma once

#include <cstdint>

namespace plait {

class Prng {
 public:
  explicit Prng(uint64_t seed = 0) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in 0..bound-1 up to a bias of bound / 2^32 (Lemire's multiplication); bound > 0.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((uint64_t{upper()} * bound) >> 32); }
  uint32_t between(uint32_t low, uint32_t high) { return low + below(high - low + 1); }
  bool one_in(uint32_t n) { return below(n) == 0; }

 private:
  uint32_t upper() { return static_cast<uint32_t>(next() >> 32); }
  uint64_t state_;
};

// One round of mixing for hashes that travel in files (trace hash, cause): never change it within a file version.
constexpr uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9fb21c651e98df25u;
  return hash ^ (hash >> 29);
}

}  // namespace plait
