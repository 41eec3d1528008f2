// SPDX-License-Identifier: Apache-2.0
#include "search/search.h"

#include <chrono>
#include <stdexcept>

#include "strategy/registry.h"
#include "strategy/replay.h"

namespace plait {
namespace {

constexpr uint32_t kBehaviourBits = 1u << 20;
constexpr uint32_t kFailuresPerScenario = 16;  // then another scenario teaches more
constexpr uint64_t kStandardScenarios = 16;   // the first ones keep the target's standard knobs
constexpr uint64_t kAfterWarning = 20000;  // executions, for finding out what it leads to
constexpr size_t kLockOrdersMax = 64;  // that are remembered of other executions
constexpr uint32_t kSizeFirst = 6;
constexpr uint32_t kSizeLast = 36;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Search::Search(Machine& machine, const plait_target& target, SearchOptions options)
    : machine_(machine), target_(target), options_(std::move(options)), limits_(options_.limits),
      strategy_(make_strategy(options_.strategy)), behaviours_(kBehaviourBits / 64) {
  if (!strategy_) throw std::invalid_argument("no strategy is called \"" + options_.strategy + "\"");
  schedule_ = options_.schedules_per_scenario;
}

// Programs grow from scenario to scenario and start over small: bugs with short stories come first.
void Search::next_scenario() {
  scenario_seed_ = mix(mix(0x7363656e, options_.seed), counters_.scenarios);
  auto size = static_cast<uint32_t>(kSizeFirst + counters_.scenarios % (kSizeLast - kSizeFirst + 1));
  if (options_.operations_max != 0) size = 1 + (size - 1) % options_.operations_max;
  Prng prng{scenario_seed_};
  limits_ = options_.limits;
  const bool standard_knobs = counters_.scenarios < kStandardScenarios;
  scenario_ = options_.scenario ? *options_.scenario
                                : generate(target_, options_.environment, options_.preset, size, standard_knobs, prng);
  limits_.lock_orders = lock_orders_[scenario_.knobs];
  machine_.load(scenario_, limits_);
  load_ = machine_.loads();
  strategy_ = make_strategy(options_.strategy);  // what one has learnt is about its scenario
  ++counters_.scenarios;
  schedule_ = failures_here_ = 0;
}

void Search::note_behaviour(uint64_t behaviour) {
  uint64_t& word = behaviours_[behaviour % kBehaviourBits / 64];
  const uint64_t bit = uint64_t{1} << (behaviour >> 40) % 64;
  if (word & bit) return;
  word |= bit;
  ++counters_.behaviours;
}

void Search::keep(const Outcome& outcome, std::vector<Finding>& findings) {
  ++counters_.failures;
  ++failures_here_;
  // Among failures with the same cut, one that a single deviation makes says the most: it is a group of its own.
  const uint64_t cut = mix(outcome.cut, machine_.schedule().size() == 1);
  const uint64_t group = options_.by_cut ? mix(outcome.cause, cut) : outcome.cause;
  if (++causes_[group] > 1) return;
  if (options_.stop_on_failure) {
    const bool warning = is_warning(outcome.failure.kind);
    if (warning && warned_at_ != 0) return;  // one is enough: now its consequence is looked for
    if (warning) warned_at_ = counters_.executions;
    done_ = !warning;
  }
  Finding finding;
  finding.outcome = outcome;
  finding.outcome.cause = group;
  finding.scenario = machine_.scenario();
  finding.schedule = machine_.schedule();
  finding.execution = counters_.executions;
  finding.seconds = counters_.seconds + now() - started_;
  Replay replay{finding.schedule};
  RunOptions options{limits_, true, false};
  machine_.run(replay, 0, options);
  finding.trace_hash = machine_.recorder().hash();
  findings.push_back(std::move(finding));
}

// With the same knobs only: which locks there are, and when they are taken, may hang on them.
void Search::learn_lock_orders(const SeenOrders& seen) {
  const SeenOrders known = limits_.lock_orders ? *limits_.lock_orders : SeenOrders{};
  if (known.size() + seen.size() > kLockOrdersMax) return;
  auto all = std::make_shared<SeenOrders>(known);
  all->insert(all->end(), seen.begin(), seen.end());
  limits_.lock_orders = lock_orders_[scenario_.knobs] = std::move(all);
}

void Search::execute(std::vector<Finding>& findings) {
  if (schedule_ >= options_.schedules_per_scenario || failures_here_ >= kFailuresPerScenario) next_scenario();
  const uint64_t seed = mix(scenario_seed_, schedule_);
  RunOptions options{limits_, false, false};
  Replay nothing;  // the first schedule of a scenario is the empty one
  const Outcome outcome = schedule_ == 0 ? machine_.run(nothing, 0, options) : machine_.run(*strategy_, seed, options);
  ++schedule_;
  limits_.shared_stacks |= outcome.shared_stacks;
  ++counters_.executions;
  counters_.accesses += outcome.accesses;
  counters_.steps += outcome.steps;
  counters_.requests += outcome.requests;
  note_behaviour(outcome.behaviour);
  switch (outcome.verdict) {
    case VerdictKind::kPassed: counters_.costs.add(outcome.costs); break;
    case VerdictKind::kFailed: keep(outcome, findings); break;
    case VerdictKind::kGaveUp: ++counters_.gave_up; break;
    case VerdictKind::kNotDeterministic: break;
  }
  if (!outcome.new_lock_orders.empty()) learn_lock_orders(outcome.new_lock_orders);
}

std::vector<Finding> Search::step(double seconds) {
  std::vector<Finding> findings;
  started_ = now();
  if (counters_.scenarios != 0 && machine_.loads() != load_) {  // somebody used the machine for something else
    machine_.load(scenario_, limits_);
    machine_.set_longest(longest_);
    load_ = machine_.loads();
  }
  while (!done_) {
    execute(findings);
    if (options_.executions != 0 && counters_.executions >= options_.executions) done_ = true;
    if (warned_at_ != 0 && counters_.executions >= warned_at_ + kAfterWarning) done_ = true;
    if (!findings.empty() || (counters_.executions % 16 == 0 && now() - started_ >= seconds)) break;
  }
  counters_.seconds += now() - started_;
  longest_ = machine_.longest();
  return findings;
}

}  // namespace plait
