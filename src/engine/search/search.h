// SPDX-License-Identifier: Apache-2.0
//
// The driver that spends: makes scenarios, runs hundreds of schedules on each, and keeps one finding a cause. Knows
// about time and budgets; strategies do not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "machine/machine.h"
#include "search/generate.h"

namespace plait {

struct SearchOptions {
  Environment environment;
  std::string strategy = "random";
  uint64_t seed = 0;
  Preset preset = Preset::kSmall;
  uint64_t executions = 0;               // 0: no bound
  uint32_t schedules_per_scenario = 256;
  uint32_t operations_max = 0;  // of a generated scenario, or a few of each task and line; 0: no bound of its own
  bool stop_on_failure = true;  // a warning first gets some time to show what it leads to
  bool by_cut = false;  // failures are told apart also by where the last deviation cut, for studies of one bug's forms
  Limits limits;
  std::optional<Scenario> scenario;  // instead of generated ones
};

struct Finding {
  Outcome outcome;
  Scenario scenario;
  std::vector<Deviation> schedule;
  uint64_t trace_hash = 0;
  uint64_t execution = 0;
  double seconds = 0;  // of engine time until it was found
};

struct SearchCounters {
  uint64_t executions = 0;
  uint64_t accesses = 0;
  uint64_t steps = 0;
  uint64_t scenarios = 0;
  uint64_t behaviours = 0;  // distinct ones, by a bitmap of 2^20 (counts a little low beyond 10^5)
  uint64_t gave_up = 0;
  uint64_t failures = 0;
  uint64_t requests = 0;
  double seconds = 0;
  CostSummary costs;
};

class Search {
 public:
  // The target must have been set on the machine before each step. `environment` must be one the target supports.
  Search(Machine& machine, const plait_target& target, SearchOptions options);
  // Runs for about so long, or until the budget is spent or something is found; the new findings.
  std::vector<Finding> step(double seconds);
  bool done() const { return done_; }
  const SearchCounters& counters() const { return counters_; }
  const std::unordered_map<uint64_t, uint64_t>& causes() const { return causes_; }  // cause → failures

 private:
  void next_scenario();
  void execute(std::vector<Finding>& findings);
  void keep(const Outcome& outcome, std::vector<Finding>& findings);
  void learn_lock_orders(const SeenOrders& seen);
  void note_behaviour(uint64_t behaviour);

  Machine& machine_;
  const plait_target& target_;
  SearchOptions options_;
  Limits limits_;
  std::unique_ptr<Strategy> strategy_;
  SearchCounters counters_;
  std::unordered_map<uint64_t, uint64_t> causes_;
  std::map<std::vector<uint64_t>, std::shared_ptr<const SeenOrders>> lock_orders_;  // by knobs
  std::vector<uint64_t> behaviours_;
  Scenario scenario_;
  uint64_t load_ = 0;  // the machine's load that was ours
  uint32_t longest_ = 1;  // what the machine knew when it was left to others
  uint64_t scenario_seed_ = 0;
  uint32_t schedule_ = 0;           // of the scenario: the next one
  uint32_t failures_here_ = 0;      // of the scenario
  uint64_t warned_at_ = 0;          // execution that found the first race or inversion, when a failure ends the search
  bool done_ = false;
  double started_ = 0;
};

}  // namespace plait
