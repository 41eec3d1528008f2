// SPDX-License-Identifier: Apache-2.0
//
// Between Python dicts (the JSON shape of values) and the engine's structs. Values come validated from Python; what
// still does not fit (a knob the target does not have) raises ValueError.
#pragma once

#include <nanobind/nanobind.h>

#include "machine/machine.h"
#include "search/search.h"

namespace plait {

Scenario scenario_from(nanobind::dict object, const plait_target& target);
Operation operation_from(nanobind::dict object, const plait_target& target);
LineSpec line_from(nanobind::dict object, uint32_t cpus, const plait_target& target);
nanobind::dict to_python(const Scenario& scenario, const plait_target& target);
std::vector<Deviation> schedule_from(nanobind::list objects);
nanobind::list to_python(const std::vector<Deviation>& schedule);
nanobind::dict verdict_to_python(const Outcome& outcome);
// Of the machine's last run. limits: those that it had; detail: with its events.
nanobind::dict outcome_to_python(Machine& machine, const Outcome& outcome, const Limits& limits, bool detail);
nanobind::list events_to_python(const Machine& machine);
nanobind::list context_names(const Machine& machine);
Limits limits_from(nanobind::handle object);
nanobind::dict to_python(const Limits& limits, const Outcome& learnt);  // as a replay needs them
nanobind::dict to_python(const CostSummary& costs);
SearchOptions options_from(nanobind::dict object);
nanobind::dict declaration_to_python(const plait_target& target, uintptr_t load_base);

}  // namespace plait
