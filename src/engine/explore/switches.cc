// SPDX-License-Identifier: Apache-2.0
//
// With a bound on preemptions: from an execution to the plans of others, each a switch to another context at some point of
// it, and what has to have been done before that is possible.
#include <algorithm>

#include "base/prng.h"
#include "explore/explorer.h"

namespace plait {

// At `cut`, or where that is not possible as late before it as possible: what `second` needs, and then itself.
void Explorer::turn_at(uint32_t cut, uint32_t second, const Causality::Clock& past) {
  const auto& events = guide_.causality().events();
  const auto& taken = guide_.taken();
  const auto needed = [&](uint32_t number) { return events[number].index < past[events[number].process]; };
  const auto go_on_at = [&](uint32_t at) {
    order_.clear();
    for (uint32_t i = 0; i < events.size(); ++i) {
      if (i != second && (i < at || needed(i))) order_.push_back(i);
    }
    order_.push_back(second);
  };
  for (bool first = true;; --cut, first = false) {
    uint32_t next = cut;
    while (next < second && !needed(next)) ++next;
    if (Guide::possible(taken[cut], taken[next].decision)) break;
    if (first) go_on_at(cut);
    if (first && move_away(cut, next)) plan_order(cut);
    if (cut == 0) return;
  }
  go_on_at(cut);
  if (!affordable(cut, taken[order_[cut]].decision)) return;
  make_room(cut);
  plan_order(cut);
}

// Who cannot go on at the cut because a handler is on top of it may have been moved to another CPU later: then it is
// moved before the handler comes, as long as no step of its own is overtaken.
bool Explorer::move_away(uint32_t cut, uint32_t next) {
  const auto& taken = guide_.taken();
  const uint8_t task = taken[next].decision.process;
  uint32_t moved = cut;
  while (moved < next && (taken[moved].decision.kind != Decision::Kind::kMigrate || taken[moved].decision.process != task)) ++moved;
  if (moved == next) return false;
  uint32_t room = cut;
  while (room > 0 && !Guide::possible(taken[room], taken[moved].decision)) --room;
  if (!Guide::possible(taken[room], taken[moved].decision) || taken[room].decision.process == task) return false;
  const auto place = std::find(order_.begin(), order_.end(), moved);
  if (place != order_.end()) order_.erase(place);
  order_.insert(order_.begin() + room, moved);
  return true;
}

// The order as a plan whose last step is another event than it was; of the rest, what comes before the cut as it was.
void Explorer::plan_order(uint32_t cut) {
  const Causality& causality = guide_.causality();
  const auto& events = causality.events();
  const uint32_t second = order_.back();
  Item item;
  uint64_t sum = 0;
  in_plan_.assign(events.size(), false);
  for (uint32_t i : order_) {
    item.plan.push_back(guide_.taken()[i].decision);
    if (i == second) continue;
    in_plan_[i] = true;
    item.last[events[i].process] = events[i].hash;
    sum += mix(1, events[i].hash);
  }
  const uint64_t turned = causality.hash_within(second, [&](uint32_t number) { return in_plan_[number]; });
  item.last[events[second].process] = turned;
  sum += mix(1, turned);
  if (!pushed_.insert(order_matters(sum, cut, item.plan)).second) return;
  item.options = options(item.plan);
  open_.push_back(std::move(item));
}

// What comes after the cut may have to do with a CPU that a handler has, or that somebody has who lets nobody else run: a
// process that could not go on at the cut goes as far as it is needed where it last could.
void Explorer::make_room(uint32_t cut) {
  const auto& events = guide_.causality().events();
  const auto& taken = guide_.taken();
  for (size_t last = order_.size(); last-- > cut + 1;) {
    const uint32_t number = order_[last];
    const Decision& decision = taken[number].decision;
    if (decision.kind != Decision::Kind::kRun || Guide::possible(taken[cut], decision)) continue;
    const uint32_t first = guide_.causality().event_of(events[number].process, 0);
    if (first >= cut && taken[first].decision.kind == Decision::Kind::kRaised) continue;  // it is made possible after the cut
    uint32_t room = cut;
    while (room > 0 && !Guide::possible(taken[room], decision)) --room;
    const Causality::Clock& past = events[number].past;
    const auto moves = [&](uint32_t other) { return events[other].index < past[events[other].process]; };
    std::stable_partition(order_.begin() + room, order_.begin() + static_cast<std::ptrdiff_t>(last) + 1, moves);
    cut = std::min(cut, room);
  }
}

// Who cannot go on because somebody is in the way on its CPU can do so when that one has left.
void Explorer::switch_to_blocker(uint32_t cut, const Decision& to) {
  const auto& taken = guide_.taken();
  if (!to.on_cpu() || Guide::possible(taken[cut], to)) return;
  for (uint32_t i = cut; i-- > 0;) {
    const Decision& decision = taken[i].decision;
    if (!decision.on_cpu() || decision.cpu != to.cpu) continue;
    if (decision.process != to.process) switch_at(cut, {Decision::Kind::kRun, decision.process, decision.cpu});
    return;
  }
}

void Explorer::switch_at(uint32_t cut, const Decision& to) {
  const auto& taken = guide_.taken();
  const auto& events = guide_.causality().events();
  const uint32_t first = guide_.causality().event_of(to.process, 0);
  const bool device = to.kind == Decision::Kind::kDevice;
  const Decision goes_on{device ? to.kind : Decision::Kind::kRun, to.process, 0};
  const Decision decision = first >= cut ? taken[first].decision : goes_on;  // a handler has to come first
  if (taken[cut].decision.process == to.process || !Guide::possible(taken[cut], decision) || !affordable(cut, decision)) return;
  Item item;
  uint64_t sum = mix(2, to.process);
  for (uint32_t i = 0; i < cut; ++i) {
    item.plan.push_back(taken[i].decision);
    sum += mix(1, events[i].hash);
  }
  item.plan.push_back(decision);
  if (pushed_.insert(order_matters(sum, cut, item.plan)).second) open_.push_back(std::move(item));
}

}  // namespace plait
