// SPDX-License-Identifier: Apache-2.0
//
// Windows that a run keeps closed: what a repair would do, tried without touching the target. A window is a stretch of
// the target's code, from one step to another, whoever runs it; while a context is in one, what the guards keep away
// from it does not happen, and the order checks take it to be kept away. Only for explaining: a search has none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace plait {

enum Guard : uint32_t {
  kNoMigration = 1,
  kNoPreemption = 2,  // nor migration
  kNoInterrupts = 4,  // on its CPU; nor preemption
  kNoOthers = 8,      // what a spin lock does that everybody takes: no step on other CPUs, no preemption
};

struct Closing {
  using Places = std::vector<uint64_t>;  // return addresses relative to the module; 0: a call or return of an operation

  struct Window {
    Places opens;   // with such a step it begins
    Places closes;  // after such a step, or with its operation, it ends
  };

  uint32_t guards = 0;
  std::vector<Window> windows;  // at most 32
  Places marked;                // accesses there count as marked

  static bool has(const Places& places, uint64_t pc) { return std::find(places.begin(), places.end(), pc) != places.end(); }
};

}  // namespace plait
