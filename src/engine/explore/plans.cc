// SPDX-License-Identifier: Apache-2.0
//
// From an execution to the plans of others. Each is a set of events of this one, each with all of its past, and one that is
// new: the later one of a race, an interrupt that did not come, a task that is moved, or a step that nobody knows yet. There
// is as much in it as can have been done before that: what is left out comes by defaults, and where a plan is contained in an
// execution that was run there is nothing to be done.
#include <algorithm>

#include "base/prng.h"
#include "explore/explorer.h"

namespace plait {

void Explorer::expand(bool failed) {
  failed_ = failed && happened_ != 0 ? static_cast<uint32_t>(happened_ - 1) : kNone;
  const Causality& causality = guide_.causality();
  if (bounds_.preemptions == Bounds::kNone) {
    for (const Causality::Race& race : causality.races()) reverse(race.first, race.second);
  } else {
    for (uint32_t second = 0; second < causality.events().size(); ++second) {
      causality.conflicts(second, conflicts_);
      for (uint32_t first : conflicts_) reverse(first, second);
    }
  }
  add_options();
  move_holders();
  let_others_go_on();
  if (failed_ != kNone) let_others_go_before();
}

// Everything that does not hang on the earlier event, and then the later one. Where somebody is in the way who was in the
// middle of something when the earlier event happened, all of that is left out.
void Explorer::reverse(uint32_t first, uint32_t second) {
  if (plan_without(first, second)) return;
  const auto& causality = guide_.causality();
  uint32_t start = first;
  while (guide_.taken()[start].keeps_tasks_out) {
    const Causality::Event& event = causality.events()[start];
    if (event.index == 0) return;
    start = causality.event_of(event.process, event.index - 1);
  }
  if (start != first) plan_without(start, second);
}

bool Explorer::hangs_on(uint32_t number, uint32_t what) const {
  const auto& events = guide_.causality().events();
  return events[number].past[events[what].process] > events[what].index;
}

// False: it cannot be done.
bool Explorer::plan_without(uint32_t first, uint32_t second) {
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  const Causality::Event& last = events[second];
  if (last.index > 0 && hangs_on(causality.event_of(last.process, last.index - 1), first)) return true;  // it would be another event
  in_plan_.assign(events.size(), false);
  for (uint32_t i = 0; i < happened_; ++i) in_plan_[i] = i != second && i != failed_ && !hangs_on(i, first);
  const uint64_t turned = causality.hash_within(second, [&](uint32_t number) { return in_plan_[number]; });
  if (!wanted_.insert(mix(sum_of_plan(), turned)).second) return true;
  const auto& found = linearizer_.find(in_plan_, second, happened_);
  for (const Linearizer::Found& one : found) push(one.order, second, {}, {last.process, turned});
  note_linearizer();
  return !found.empty();
}

uint64_t Explorer::sum_of_plan() const {
  const auto& events = guide_.causality().events();
  uint64_t sum = 0;
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (in_plan_[i]) sum += mix(1, events[i].hash);
  }
  return sum;
}

void Explorer::note_linearizer() {
  if (!linearizer_.gave_up()) return;
  orders_missed_ = true;
  complete_ = false;
}

// A plan of these decisions, one of which is new and would be such an event of this process.
void Explorer::push(const std::vector<uint32_t>& order, uint32_t what, const Decision& option, const std::pair<uint8_t, uint64_t>& event) {
  const auto& events = guide_.causality().events();
  Item item;
  uint64_t sum = mix(1, event.second);
  for (uint32_t i : order) {
    item.plan.push_back(i == Linearizer::kOption ? option : guide_.taken()[i].decision);
    if (i == what) continue;
    sum += mix(1, events[i].hash);
    item.last[events[i].process] = events[i].hash;
  }
  item.last[event.first] = event.second;
  item.options = options(item.plan);
  if (pushed_.insert(sum).second) open_.push_back(std::move(item));
}

// Interrupts that did not come, and tasks moved to another CPU between each two steps that see on which CPU they are.
void Explorer::add_options() {
  const auto& causality = guide_.causality();
  for (const Decision& option : guide_.optional()) {
    if (!affordable(option)) continue;
    if (option.kind != Decision::Kind::kMigrate) {
      if (!guide_.fired(option.process)) add_option(option, 0, kNone);
      continue;
    }
    const uint64_t where = guide_.place_of(option).where;
    uint16_t nth = 1;
    uint8_t cpu = guide_.home(option.process);
    for (uint32_t before = 0; before < happened_; ++before) {
      if (cpu != option.cpu && causality.touches(before, where)) add_option(option, nth, before);
      const Decision& decision = guide_.taken()[before].decision;
      if (decision.kind != Decision::Kind::kMigrate || decision.process != option.process) continue;
      ++nth;
      cpu = decision.cpu;
    }
    if (cpu != option.cpu) add_option(option, nth, kNone);
  }
}

// The `nth` migration of its task. Before a decision, so without what hangs on that; kNone: after all.
void Explorer::add_option(const Decision& option, uint16_t nth, uint32_t before) {
  in_plan_.assign(guide_.causality().events().size(), false);
  for (uint32_t i = 0; i < happened_; ++i) in_plan_[i] = i != failed_ && (before == kNone || !hangs_on(i, before));
  const auto within = [&](uint32_t i) { return in_plan_[i]; };
  const auto event = guide_.option(option, nth, within);
  if (!wanted_.insert(mix(sum_of_plan(), event.second)).second) return;
  const Causality::Clock past = guide_.causality().past_after(guide_.place_of(option), within);
  push_all(option, event, past);
}

bool Explorer::affordable(const Decision& option) const {
  Spent spent = guide_.spent();
  ++(option.kind == Decision::Kind::kMigrate ? spent.migrations : spent.interrupts);
  return within(spent);
}

// A task that has a lock may have been moved to the CPU of somebody who waits for it there and lets nobody else run, which
// is nothing that either of them does to the other.
void Explorer::move_holders() {
  const auto& taken = guide_.taken();
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  for (uint32_t moved = 0; guide_.spent().migrations != 0 && moved < happened_; ++moved) {
    const Decision& move = taken[moved].decision;
    if (move.kind != Decision::Kind::kMigrate) continue;
    for (uint32_t i = 0; i < happened_; ++i) {
      if (!taken[i].keeps_tasks_out || taken[i].decision.cpu != move.cpu) continue;
      const uint32_t release = causality.release_before(i);
      if (release == kNone || events[release].process != move.process || events[i].process == move.process) continue;
      if (!hangs_on(moved, release)) plan_without(release, i);
    }
  }
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
    in_plan_.assign(events.size(), false);
    for (uint32_t i = 0; i < happened_; ++i) in_plan_[i] = i != failed_ && !hangs_on(i, entry);
    go_on_instead(entry);
  }
}

// An execution ends with the step that fails. What others would have done is not known, and it may be something that the
// step needs.
void Explorer::let_others_go_before() {
  in_plan_.assign(guide_.causality().events().size(), false);
  std::fill_n(in_plan_.begin(), failed_, true);
  go_on_instead(failed_);
}

// The plan, and then the next step of somebody who could have gone when that decision was taken: one that is in no
// execution so far.
void Explorer::go_on_instead(uint32_t number) {
  const Guide::Taken& taken = guide_.taken()[number];
  const uint64_t sum = sum_of_plan();
  for (uint8_t other = 0; other < Causality::kProcessesMax; ++other) {
    if (other == taken.decision.process || (taken.enabled >> other & 1) == 0 || !guide_.begun(other)) continue;
    if (!wanted_.insert(mix(sum, other)).second) continue;
    const uint8_t cpu = guide_.is_handler(other) ? guide_.taken()[guide_.causality().event_of(other, 0)].decision.cpu : uint8_t{0};
    push_all({Decision::Kind::kRun, other, cpu}, {other, mix(sum, other)}, {});
  }
}

// With this decision, which was not taken.
void Explorer::push_all(const Decision& option, const std::pair<uint8_t, uint64_t>& event, const Causality::Clock& past) {
  for (const Linearizer::Found& one : linearizer_.find(in_plan_, option, event.first, past, happened_)) {
    push(one.order, Linearizer::kOption, option, event);
  }
  note_linearizer();
}

}  // namespace plait
