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
      guide_(machine) {}

// From the beginning, as well after an execution has shown that a stack is shared: then there are more steps than known.
void Explorer::start() {
  guide_.reset();
  guide_.note_alternatives(!bounds_.reduce);
  open_.clear();
  pushed_.clear();
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
    if (bounded() || !bounds_.reduce || !contained(item)) run(item.plan, findings);
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
  guide_.note_blocked(outcome.verdict == VerdictKind::kFailed);
  if (!fresh && !bounded()) return;
  if (!bounded()) remember();
  expand();
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

void Explorer::expand() {
  for (const Causality::Race& race : guide_.causality().races()) turn(race);
  try_options();
  try_before_the_end();
  if (!bounded()) let_others_go_on();
}

// Who stands before a lock for ever and lets nobody else have its CPU ends the execution before others there have done what
// they would: so they go on instead of its going in.
void Explorer::let_others_go_on() {
  const auto& taken = guide_.taken();
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  for (auto blocked = static_cast<uint32_t>(happened_); blocked < events.size(); ++blocked) {
    uint32_t entry = blocked;
    while (taken[entry].keeps_tasks_out && events[entry].index > 0) {
      entry = causality.event_of(events[entry].process, events[entry].index - 1);
    }
    if (entry == blocked || taken[blocked].decision.kind != Decision::Kind::kRun) continue;
    Item item;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < happened_; ++i) {
      if (events[i].past[events[entry].process] > events[entry].index) continue;
      item.plan.push_back(taken[i].decision);
      item.last[events[i].process] = events[i].hash;
      sum += mix(1, events[i].hash);
    }
    const Decision& inside = taken[entry].decision;
    for (uint8_t other = 0; other < Causality::kProcessesMax; ++other) {
      const Decision goes_on{Decision::Kind::kRun, other, inside.cpu};
      if (other == inside.process || !Guide::possible(taken[entry], goes_on) || guide_.is_handler(other)) continue;
      push(item, sum, entry, goes_on, {other, mix(sum, other)});  // an event that is not known: in no execution so far
    }
  }
}

bool Explorer::affordable(uint32_t cut, const Decision& decision) const {
  const Guide::Taken& taken = guide_.taken()[cut];
  Spent spent = taken.before;
  spent.deviations += !bounds_.reduce;
  switch (decision.kind) {
    case Decision::Kind::kRun: spent.preemptions += taken.preempts(decision.process); break;
    case Decision::Kind::kInterrupt: ++spent.interrupts; break;
    case Decision::Kind::kMigrate: ++spent.migrations; break;
    case Decision::Kind::kRaised:
    case Decision::Kind::kDevice: break;
  }
  return within(spent);
}

// Interrupts that did not come, as late as possible: races take them to where they matter; with a bound on preemptions,
// wherever they could, as what races lead to may be beyond it. And tasks moved before each of their steps: what comes of
// that depends on fewer places, so most are contained in what was run.
void Explorer::try_options() {
  const auto& taken = guide_.taken();
  const auto& events = guide_.causality().events();
  Item item;
  uint64_t sum = 0;
  std::array<uint16_t, Causality::kProcessesMax> moved{};
  for (uint32_t cut = 0; cut < happened_; ++cut) {
    const Decision& step = taken[cut].decision;
    for (const Decision& option : guide_.optional()) {
      const bool migrates = option.kind == Decision::Kind::kMigrate;
      const bool here = migrates ? option.process == step.process && option.cpu != step.cpu && step.kind == Decision::Kind::kRun &&
                                       Guide::possible(taken[cut], option)
                                 : !guide_.fired(option.process) &&
                                       (guide_.last_chance(option) == cut || (bounded() && Guide::possible(taken[cut], option)));
      if (!here || !affordable(cut, option)) continue;
      push(item, sum, cut, option, guide_.option(option, static_cast<uint16_t>(moved[option.process] + 1), [&](uint32_t i) { return i < cut; }));
    }
    item.plan.push_back(step);
    item.last[events[cut].process] = events[cut].hash;
    sum += mix(1, events[cut].hash);
    if (step.kind == Decision::Kind::kMigrate) ++moved[step.process];
  }
}

// No interrupt comes when nobody has anything left to do. So once more before the last step of each who ran, and behind
// what others do that does not hang on it.
void Explorer::try_before_the_end() {
  const auto& options = guide_.optional();
  if (std::none_of(options.begin(), options.end(), [&](const Decision& option) {
        return option.kind == Decision::Kind::kInterrupt && !guide_.fired(option.process);
      })) {
    return;
  }
  std::array<bool, Causality::kProcessesMax> seen{};
  for (auto last = static_cast<uint32_t>(happened_); last-- > 0;) {
    const Decision& step = guide_.taken()[last].decision;
    if (step.kind != Decision::Kind::kRun || seen[step.process]) continue;
    seen[step.process] = true;
    leave_last(last);
  }
}

// Of the order: what is done on the handler's CPU and needs nothing of it comes before its first event. Who leaves that CPU
// does so before, as nobody is moved from under a handler.
void Explorer::clear_cpu(uint32_t begin) {
  const auto& taken = guide_.taken();
  const auto& events = guide_.causality().events();
  const uint8_t cpu = taken[begin].decision.cpu;
  std::array<uint8_t, Causality::kProcessesMax> at{};  // of each process that was moved: its CPU, and 1
  Causality::Clock before{};
  for (uint32_t i : order_) {
    const Decision& decision = taken[i].decision;
    uint8_t here = decision.cpu;
    if (decision.kind == Decision::Kind::kMigrate) {
      uint8_t& now = at[decision.process];
      here = now == 0 ? guide_.home(decision.process) : static_cast<uint8_t>(now - 1);
      now = static_cast<uint8_t>(decision.cpu + 1);
    }
    if (decision.kind == Decision::Kind::kDevice || here != cpu || events[i].past[events[begin].process] != 0) continue;
    for (size_t process = 0; process < before.size(); ++process) before[process] = std::max(before[process], events[i].past[process]);
  }
  const auto needed = [&](uint32_t i) { return events[i].index < before[events[i].process]; };
  std::stable_partition(order_.begin() + begin, order_.end(), needed);
}

// Who is a handler keeps its CPU until that step.
void Explorer::leave_last(uint32_t last) {
  const auto& taken = guide_.taken();
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  const Decision& runner = taken[last].decision;
  const auto after = [&](uint32_t number, uint32_t what) { return events[number].past[events[what].process] > events[what].index; };
  order_.clear();
  const auto within = [&](uint32_t i) { return i < happened_ && !after(i, last); };
  for (uint32_t i = 0; i < happened_; ++i) {
    if (within(i)) order_.push_back(i);
  }
  if (guide_.is_handler(runner.process)) clear_cpu(causality.event_of(runner.process, 0));
  Item item;
  uint64_t sum = 0;
  for (uint32_t i : order_) {
    item.plan.push_back(taken[i].decision);
    item.last[events[i].process] = events[i].hash;
    sum += mix(1, events[i].hash);
  }
  for (const Decision& option : guide_.optional()) {
    if (option.kind != Decision::Kind::kInterrupt || guide_.fired(option.process) || !affordable(last, option)) continue;
    if (option.cpu == runner.cpu && taken[last].keeps_handlers_out) continue;
    push(item, sum, last, option, guide_.option(option, 0, within));
  }
}

// The item, and then this, which is such an event of this process.
void Explorer::push(Item item, uint64_t sum, uint32_t cut, const Decision& option, const std::pair<uint8_t, uint64_t>& event) {
  const auto [process, hash] = event;
  item.last[process] = hash;
  item.plan.push_back(option);
  item.options = options(item.plan);
  if (pushed_.insert(order_matters(sum + mix(1, hash), cut, item.plan)).second) open_.push_back(std::move(item));
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

// What tells a plan from others that begin with the same events: with a bound on preemptions their order counts, so who
// runs where and what was spent belong to it.
uint64_t Explorer::order_matters(uint64_t sum, uint32_t cut, const Plan& plan) const {
  if (!bounded()) return sum;
  const Guide::Taken& taken = guide_.taken()[cut];
  sum = mix(mix(sum, plan.back().process), taken.before.preemptions + (taken.forced ? 0 : 1));
  std::array<uint8_t, kCpusMax> running{};
  for (const Decision& decision : plan) running[decision.cpu] = decision.process;
  for (uint8_t process : running) sum = mix(sum, process);
  return sum;
}

}  // namespace plait
