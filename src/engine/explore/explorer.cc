// SPDX-License-Identifier: Apache-2.0
#include "explore/explorer.h"

#include <algorithm>
#include <chrono>

#include "base/prng.h"
#include "strategy/replay.h"

namespace plait {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Explorer::Explorer(Machine& machine, Scenario scenario, Bounds bounds, Limits limits, bool stop_on_failure)
    : machine_(machine), scenario_(std::move(scenario)), bounds_(bounds), limits_(limits), stop_on_failure_(stop_on_failure),
      guide_(machine), linearizer_(guide_, bounds.preemptions, bounds.states) {}

// From the beginning, as well after an execution has shown that a stack is shared: then there are more steps than known.
void Explorer::start() {
  guide_.reset();
  guide_.note_alternatives(!bounds_.reduce);
  open_.clear();
  pushed_.clear();
  wanted_.clear();
  classes_.clear();
  executions_of_.clear();
  options_of_.clear();
  counters_.classes = counters_.repeated = 0;
  open_.push_back({});
}

std::vector<Finding> Explorer::step(double seconds, uint64_t executions_max) {
  std::vector<Finding> findings;
  const double begin = now();
  if (!started_ || machine_.loads() != load_) {
    machine_.load(scenario_, limits_);
    load_ = machine_.loads();
    if (!started_) start();
    started_ = true;
  }
  for (uint32_t count = 0; !done_; ++count) {
    if ((count % 16 == 15 && now() - begin >= seconds) || counters_.executions >= executions_max) break;
    if (open_.empty()) {
      done_ = true;
      break;
    }
    const Item item = std::move(open_.back());
    open_.pop_back();
    if (!bounds_.reduce || !contained(item)) run(item.plan, findings);
    too_many_ = open_.size() > bounds_.open;
    if (too_many_ || guide_.too_large()) {
      complete_ = false;
      done_ = true;
    }
  }
  counters_.open = open_.size();
  counters_.seconds += now() - begin;
  return findings;
}

bool Explorer::within(const Spent& spent) const {
  return spent.preemptions <= bounds_.preemptions && spent.interrupts <= bounds_.interrupts &&
         spent.migrations <= bounds_.migrations && spent.deviations <= bounds_.deviations;
}

void Explorer::run(const Plan& plan, std::vector<Finding>& findings) {
  guide_.set_plan(&plan);
  const Outcome outcome = machine_.run(guide_, 0, {limits_, false, false});
  guide_.finish();
  ++counters_.executions;
  counters_.steps += outcome.steps;
  if (outcome.shared_stacks != limits_.shared_stacks) {
    limits_.shared_stacks = outcome.shared_stacks;
    return start();
  }
  if (guide_.too_large()) return;
  if (!within(guide_.spent())) {
    ++counters_.beyond;
    return;
  }
  const bool fresh = classes_.insert(guide_.causality().hash()).second;
  fresh ? ++counters_.classes : ++counters_.repeated;
  if (fresh) {
    if (outcome.verdict == VerdictKind::kFailed) keep(outcome, findings);
    // Who waits for an interrupt that did not come is answered where it comes.
    if (outcome.verdict == VerdictKind::kGaveUp && outcome.give_up != GiveUp::kWaiting) {
      ++counters_.gave_up;
      complete_ = false;
    }
  }
  if (!bounds_.reduce) return try_everything(plan.size());
  happened_ = guide_.taken().size();
  if (!fresh) return;
  const bool failed = outcome.verdict == VerdictKind::kFailed;
  guide_.note_blocked(failed);
  remember();
  expand(failed);
}

void Explorer::keep(const Outcome& outcome, std::vector<Finding>& findings) {
  ++counters_.failures;
  if (++causes_[outcome.cause] > 1) return;
  if (stop_on_failure_ && !is_warning(outcome.failure.kind)) {  // of a race first what it leads to, in this scenario
    done_ = true;
    complete_ = false;
  }
  Finding finding;
  finding.outcome = outcome;
  finding.scenario = machine_.scenario();
  finding.schedule = machine_.schedule();
  finding.execution = counters_.executions;
  finding.seconds = counters_.seconds;
  Replay replay{finding.schedule};
  machine_.run(replay, 0, {limits_, true, false});
  finding.trace_hash = machine_.recorder().hash();
  findings.push_back(std::move(finding));
}

void Explorer::remember() {
  const auto number = static_cast<uint32_t>(options_of_.size());
  Plan all;
  for (size_t i = 0; i < happened_; ++i) all.push_back(guide_.taken()[i].decision);
  options_of_.push_back(options(all));
  for (size_t i = 0; i < happened_; ++i) executions_of_[guide_.causality().events()[i].hash].push_back(number);
}

// Equal when the same interrupts came and the same tasks were moved, whenever that was.
uint64_t Explorer::options(const Plan& plan) {
  uint64_t sum = 0;
  for (const Decision& decision : plan) {
    if (decision.kind != Decision::Kind::kInterrupt && decision.kind != Decision::Kind::kMigrate) continue;
    sum += mix(static_cast<uint64_t>(decision.kind), uint64_t{decision.process} << 8 | decision.cpu);
  }
  return sum;
}

// Whether an execution was run that has everything that this one would begin with. One with another interrupt does not
// count: that it need not come is a reason of its own to run this.
bool Explorer::contained(const Item& item) const {
  std::array<const std::vector<uint32_t>*, Causality::kProcessesMax> lists{};
  size_t count = 0;
  for (uint64_t hash : item.last) {
    if (hash == 0) continue;
    const auto found = executions_of_.find(hash);
    if (found == executions_of_.end()) return false;
    lists[count++] = &found->second;
  }
  if (count == 0) return false;
  const auto end = lists.begin() + static_cast<std::ptrdiff_t>(count);
  const auto* rarest = *std::min_element(lists.begin(), end, [](const auto* a, const auto* b) { return a->size() < b->size(); });
  return std::any_of(rarest->begin(), rarest->end(), [&](uint32_t execution) {
    return options_of_[execution] == item.options && std::all_of(lists.begin(), end,
                       [&](const auto* list) { return std::binary_search(list->begin(), list->end(), execution); });
  });
}

bool Explorer::affordable(uint32_t cut, const Decision& decision) const {
  const Guide::Taken& taken = guide_.taken()[cut];
  Spent spent = taken.before;
  ++spent.deviations;
  switch (decision.kind) {
    case Decision::Kind::kRun: spent.preemptions += taken.preempts(decision.process); break;
    case Decision::Kind::kInterrupt: ++spent.interrupts; break;
    case Decision::Kind::kMigrate: ++spent.migrations; break;
    case Decision::Kind::kRaised:
    case Decision::Kind::kDevice: break;
  }
  return within(spent);
}

// Without any reduction: what else could have been decided, where this execution began to go by defaults.
void Explorer::try_everything(size_t from) {
  const auto& taken = guide_.taken();
  Plan plan;
  for (uint32_t cut = 0; cut < taken.size(); ++cut) {
    for (const Decision& other : guide_.alternatives()[cut]) {
      if (cut < from || !affordable(cut, other)) continue;
      Item item;
      item.plan = plan;
      item.plan.push_back(other);
      open_.push_back(std::move(item));
    }
    plan.push_back(taken[cut].decision);
  }
}

}  // namespace plait
