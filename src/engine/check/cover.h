// SPDX-License-Identifier: Apache-2.0
//
// How an execution went, as counters for a fuzzer that is led by coverage (libFuzzer's 8-bit counters): who met in
// memory what another context had left there, where deviations cut whom, which places ran at all. Two executions that
// count the same did much the same, in whichever order. A feature is a hash that stands for places in the code and kinds
// of contexts, never for addresses or numbers, so that the same behaviour counts the same in every process.
#pragma once

#include <array>
#include <cstdint>

#include "base/prng.h"

namespace plait {

class Cover {
 public:
  static constexpr uint32_t kCounters = 1u << 14;  // what a fuzzer looks through after every execution

  void count(uint64_t feature) {
    uint8_t& counter = counters_[mix(feature, 0x636f766572) >> 50];
    counter = static_cast<uint8_t>(counter + (counter != 0xff));
  }
  // By number, handlers come last.
  void begin(uint32_t handlers_from) { handlers_from_ = handlers_from; }
  bool is_handler(uint32_t context) const { return context >= handlers_from_; }
  std::array<uint8_t, kCounters>& counters() { return counters_; }

 private:
  alignas(64) std::array<uint8_t, kCounters> counters_{};
  uint32_t handlers_from_ = 0;
};
static_assert(Cover::kCounters == 1u << (64 - 50));

}  // namespace plait
