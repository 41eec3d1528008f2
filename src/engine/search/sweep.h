// SPDX-License-Identifier: Apache-2.0
//
// Runs the loaded scenario under all schedules with few deviations, those with fewer first; beyond one deviation a
// sample, when they are too many. Answers whether a smaller program can fail as a larger one did, whatever the schedule:
// what the shrinker asks once taking things out of one execution gets no further.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/prng.h"
#include "machine/machine.h"
#include "search/generate.h"

namespace plait {

struct SweepOptions {
  FailureKind kind{};           // failures of other kinds are not told
  uint32_t deviations = 1;      // at most
  uint32_t executions = 1000;   // of one scenario, at most
  std::span<const uint64_t> until;  // causes with which it ends
  std::vector<Move> moves;      // deviations are these; none: any
  bool anywhere = false;        // or the same on another CPU, and of other tasks
  Limits limits;
};

struct Swept {
  Outcome outcome;
  std::vector<Deviation> schedule;
};

class Sweep {
 public:
  Sweep(Machine& machine, const SweepOptions& options, uint64_t seed) : machine_(machine), options_(options), prng_(seed) {}

  // True when it came to a cause that was asked for.
  bool run();
  const std::vector<Swept>& found() const { return found_; }  // the first of each cause
  bool complete() const { return complete_; }  // every schedule with so many deviations was run
  uint64_t executions() const { return executions_; }
  uint64_t spent() const { return spent_; }  // of the executions that it may take: long ones count more

 private:
  using Schedule = std::vector<Deviation>;
  bool level(const std::vector<Schedule>& prefixes, uint32_t children_max, std::vector<Schedule>* next);
  bool execute(Strategy& strategy, const Schedule& schedule);
  void count(const Outcome& outcome);
  bool over();

  Machine& machine_;
  const SweepOptions& options_;
  Prng prng_;
  std::vector<Swept> found_;
  uint64_t executions_ = 0;
  uint64_t spent_ = 0;
  bool complete_ = true;
};

// How much there is to tell of a scenario; compared in this order.
struct ProgramSize {
  uint32_t contexts = 0;  // tasks, lines, and the times that these may fire
  uint32_t operations = 0;
  auto operator<=>(const ProgramSize&) const = default;
};
ProgramSize size_of(const Scenario& scenario);

}  // namespace plait
