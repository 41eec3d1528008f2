// SPDX-License-Identifier: Apache-2.0
//
// From an execution to the plans of others: each race turned round, in an order in which that is possible.
#include <algorithm>

#include "base/prng.h"
#include "explore/explorer.h"

namespace plait {

void Explorer::turn(const Causality::Race& race) {
  if (!bounded()) {
    reverse(race);
    return;
  }
  const auto& taken = guide_.taken();
  turn_at(race.first, race.second, race.past);
  const Decision runner = taken[race.second].decision;
  bool own = true;  // still in the stretch of the earlier event, which what a device does in between does not end
  for (uint32_t cut = race.first + 1; cut-- > 0;) {
    const bool device = taken[cut].decision.kind == Decision::Kind::kDevice;
    uint32_t before = cut;
    while (before > 0 && !device && taken[before - 1].decision.kind == Decision::Kind::kDevice) --before;
    const bool begins = before == 0 || taken[before - 1].decision.process != taken[cut].decision.process;
    if ((own && begins) || !taken[cut].preempts(runner.process)) switch_at(cut, runner);
    own = own && (device || !begins);
  }
}

// Everything that does not hang on the earlier event, and then the later one. Where somebody is in the way who was in the
// middle of something when the earlier event happened, all of that is left out.
void Explorer::reverse(const Causality::Race& race) {
  const auto& causality = guide_.causality();
  if (plan_without(race.first, race.second)) return;
  uint32_t start = race.first;
  while (guide_.taken()[start].keeps_tasks_out) {
    const Causality::Event& event = causality.events()[start];
    if (event.index == 0) return;
    start = causality.event_of(event.process, event.index - 1);
  }
  if (start != race.first) plan_without(start, race.second);
}

// False: no order of it is possible.
bool Explorer::plan_without(uint32_t first, uint32_t second) {
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  const auto after = [&](uint32_t number) { return events[number].past[events[first].process] > events[first].index; };
  const Causality::Event& last = events[second];
  if (last.index > 0 && after(causality.event_of(last.process, last.index - 1))) return true;  // it would be another event
  in_plan_.assign(events.size(), false);
  Item item;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (i == second || i >= happened_ || after(i)) continue;
    in_plan_[i] = true;
    item.last[events[i].process] = events[i].hash;
    sum += mix(1, events[i].hash);
  }
  const uint64_t turned = causality.hash_within(second, [&](uint32_t number) { return in_plan_[number]; });
  item.last[last.process] = turned;
  sum += mix(1, turned);
  if (pushed_.contains(sum)) return true;
  if (!put_in_order(second)) return false;
  pushed_.insert(sum);
  for (uint32_t i : order_) item.plan.push_back(guide_.taken()[i].decision);
  item.options = options(item.plan);
  open_.push_back(std::move(item));
  return true;
}

// Marks what those have done who are in the middle of something at the end of the plan: from where they went in.
// False: nobody is.
bool Explorer::find_late(uint32_t second) {
  const auto& causality = guide_.causality();
  const auto& events = causality.events();
  const auto& taken = guide_.taken();
  late_.assign(events.size(), Late::kNo);
  bool any = false;
  std::array<bool, Causality::kProcessesMax> seen{};
  for (uint32_t i = 0; i < events.size(); ++i) {
    const Causality::Event& event = events[i];
    if (in_plan_[i] || i == second || seen[event.process]) continue;
    seen[event.process] = true;  // the first that is left out of its process
    const Late late = taken[i].keeps_handlers_out ? Late::kForAll : Late::kForTasks;
    for (uint32_t index = event.index; taken[i].keeps_tasks_out && index-- > 0;) {
      const uint32_t inside = causality.event_of(event.process, index);
      late_[inside] = late;
      any = true;
      if (!taken[inside].keeps_tasks_out) break;  // it went in with this one
    }
  }
  return any;
}

// An order for the events of the plan and then `second`. Who keeps others out of a CPU at the end goes in when these have
// done there what they are to do.
bool Explorer::put_in_order(uint32_t second) {
  const auto& events = guide_.causality().events();
  const auto& taken = guide_.taken();
  order_.clear();
  const bool anybody = find_late(second);
  const Causality::Clock needs = guide_.causality().past_within(second, [&](uint32_t number) { return in_plan_[number]; });
  in_plan_[second] = true;
  std::array<uint32_t, Causality::kProcessesMax> done{};
  std::array<uint32_t, kCpusMax> tasks{};  // what is still to be done on each CPU by those that could be kept out
  std::array<uint32_t, kCpusMax> handlers{};
  const auto left_on = [&](uint32_t number) -> uint32_t& {
    const Decision& decision = taken[number].decision;
    return (guide_.is_handler(decision.process) ? handlers : tasks)[decision.cpu];
  };
  uint32_t left = 0;
  uint32_t late_left = 0;
  std::array<uint32_t, kCpusMax> held{};  // decision that holds a CPU, and 1
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!in_plan_[i]) continue;
    ++left;
    late_left += late_[i] != Late::kNo;
    if (late_[i] == Late::kNo && taken[i].decision.on_cpu()) ++left_on(i);
  }
  const auto ready = [&](uint32_t number) {
    const Causality::Event& event = events[number];
    if (event.index != done[event.process]) return false;
    const uint8_t cpu = taken[number].decision.cpu;
    if (late_[number] != Late::kNo && tasks[cpu] != 0) return false;
    if (late_[number] == Late::kForAll && handlers[cpu] != 0) return false;
    const Causality::Clock& past = number == second ? needs : event.past;
    for (size_t process = 0; process < done.size(); ++process) {
      if (process != event.process && past[process] > done[process]) return false;
    }
    return true;
  };
  for (uint32_t i = 0; !anybody && i < events.size(); ++i) {
    if (in_plan_[i] && i != second) order_.push_back(i);
  }
  if (!anybody) order_.push_back(second);
  while (order_.size() < left) {
    // Late ones last, but no interrupt comes when nobody else has anything left to do.
    const auto first = [&](bool late) {
      uint32_t i = 0;
      while (i < events.size() && (!in_plan_[i] || (late_[i] != Late::kNo) != late || !ready(i))) ++i;
      return i;
    };
    const bool wait = left - order_.size() > late_left + 1;
    uint32_t chosen = first(!wait);
    if (chosen == events.size()) chosen = first(wait);
    if (chosen == events.size() || !may_run(chosen, held)) return false;
    order_.push_back(chosen);
    done[events[chosen].process] = events[chosen].index + 1;
    if (late_[chosen] != Late::kNo) --late_left;
    if (late_[chosen] == Late::kNo && taken[chosen].decision.on_cpu()) --left_on(chosen);
  }
  leave_something();
  return true;
}

// An interrupt cannot come when nobody has anything left to do. Where one comes last, a step elsewhere that nothing in the
// plan hangs on goes behind it; or, if the plan has all that tasks do, one on its CPU is left to follow by default.
void Explorer::leave_something() {
  const auto& events = guide_.causality().events();
  const auto& taken = guide_.taken();
  size_t last = order_.size();  // the interrupt after which only handlers and late ones go on
  for (size_t i = order_.size(); i-- > 0;) {
    const Decision& decision = taken[order_[i]].decision;
    if (decision.kind == Decision::Kind::kInterrupt) last = i;
    if (!of_handler(order_[i])) break;
  }
  if (last == order_.size()) return;
  const auto idle = [&](size_t at) {
    const Causality::Event& event = events[order_[at]];
    return !of_handler(order_[at]) && std::none_of(order_.begin() + static_cast<std::ptrdiff_t>(at) + 1, order_.end(), [&](uint32_t other) {
      return events[other].past[event.process] > event.index;
    });
  };
  const Decision& interrupt = taken[order_[last]].decision;
  size_t here = last;
  for (size_t i = last; i-- > 0;) {
    if (!idle(i)) continue;
    const Decision& decision = taken[order_[i]].decision;
    if (decision.kind == Decision::Kind::kDevice || decision.cpu != interrupt.cpu) {
      std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(i), order_.begin() + static_cast<std::ptrdiff_t>(i) + 1, order_.end());
      return;
    }
    if (here == last) here = i;
  }
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!in_plan_[i] && !of_handler(i)) return;
  }
  if (here != last) order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(here));
}

// Or of nobody, as being moved to another CPU is.
bool Explorer::of_handler(uint32_t number) const {
  const Decision& decision = guide_.taken()[number].decision;
  return decision.kind != Decision::Kind::kDevice && (decision.kind != Decision::Kind::kRun || guide_.is_handler(decision.process));
}

// Whether nobody is in the way on its CPU; and notes when it will be in the way itself.
bool Explorer::may_run(uint32_t number, std::array<uint32_t, kCpusMax>& held) const {
  const auto& taken = guide_.taken();
  const auto& causality = guide_.causality();
  const Decision& decision = taken[number].decision;
  if (!decision.on_cpu()) return true;
  const uint32_t by = held[decision.cpu];
  if (by != 0 && taken[by - 1].decision.process != decision.process) {
    const Causality::Event& inside = causality.events()[by - 1];
    const Guide::Taken& next = taken[causality.event_of(inside.process, inside.index + 1)];
    if (guide_.is_handler(decision.process) ? next.keeps_handlers_out : next.keeps_tasks_out) return false;
  }
  if (late_[number] != Late::kNo) held[decision.cpu] = number + 1;
  return true;
}

// At `cut`, or where that is not possible as late before it as possible: what `second` needs, and then itself.
void Explorer::turn_at(uint32_t cut, uint32_t second, const Causality::Clock& past) {
  const Causality& causality = guide_.causality();
  const auto& events = causality.events();
  const auto& taken = guide_.taken();
  const auto needed = [&](uint32_t number) { return events[number].index < past[events[number].process]; };
  for (;; --cut) {
    uint32_t next = cut;
    while (next < second && !needed(next)) ++next;
    if (Guide::possible(taken[cut], taken[next].decision)) break;
    if (cut == 0) return;
  }
  order_.clear();
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (i != second && (i < cut || needed(i))) order_.push_back(i);
  }
  order_.push_back(second);
  if (!affordable(cut, taken[order_[cut]].decision)) return;
  make_room(cut);
  Plan plan;
  plan.reserve(order_.size());
  for (uint32_t i : order_) plan.push_back(taken[i].decision);
  Item item;
  const auto in_plan = [&](uint32_t number) { return number < cut || needed(number); };
  uint64_t sum = 0;
  for (size_t i = 0; i + 1 < order_.size(); ++i) {
    const Causality::Event& event = events[order_[i]];
    item.last[event.process] = event.hash;
    sum += mix(1, event.hash);
  }
  const uint64_t turned = causality.hash_within(second, in_plan);
  item.last[events[second].process] = turned;
  sum += mix(1, turned);
  if (!pushed_.insert(order_matters(sum, cut, plan)).second) return;
  item.options = options(plan);
  item.plan = std::move(plan);
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
