// SPDX-License-Identifier: Apache-2.0
//
// Many executions of one scenario in one call, told apart by what they came to: for explaining a failure, where Python
// would spend its time on crossing over and not on running.
#pragma once

#include <nanobind/nanobind.h>

#include "bind/target.h"
#include "strategy/replay.h"

namespace plait {

// Runs the schedules, then `executions` more by the random walk. The first schedule of each outcome, and how often it came.
nanobind::dict probe(Target& target, nanobind::dict scenario, nanobind::list schedules, nanobind::handle limits,
                     uint32_t executions, nanobind::handle closing);
// What came of each deviation: "made", "not enabled" or "not reached".
nanobind::list fates_of(const std::vector<Replay::State>& states);

}  // namespace plait
