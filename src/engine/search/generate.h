// SPDX-License-Identifier: Apache-2.0
//
// Scenarios by chance, within an environment: few contexts, few objects, one or two size classes, so that the programs
// meet each other in the same pools. They know nothing of any target's bugs.
#pragma once

#include <cstdint>

#include "base/prng.h"
#include "machine/scenario.h"
#include "plait/target.h"

namespace plait {

struct Range {
  uint32_t min = 1;
  uint32_t max = 1;
};

struct Environment {
  Range cpus;
  Range tasks;
  Range interrupts{0, 0};
  bool migration = false;
  DeviceKind device = DeviceKind::kNone;
};

enum class Preset : uint8_t { kSmall, kReal };

uint32_t page_size_of(const plait_target& target, Preset preset);  // bytes

// `size` grows the programs: about that many operations in all, at least one a context. `standard_knobs`: leave the
// small preset's knobs at their standard values instead of drawing some of them.
Scenario generate(const plait_target& target, const Environment& environment, Preset preset, uint32_t size,
                  bool standard_knobs, Prng& prng);

}  // namespace plait
