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
    if (cut == race.first || (own && begins)) switch_to_blocker(cut, runner);
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
  if (!put_in_order(second, Moved::kAsTaken) && !put_in_order(second, Moved::kEarly) && !put_in_order(second, Moved::kLate)) return false;
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

// On which CPU the plan's steps are taken; of a migration, from which. What a task does around a migration without a look
// at its CPU may come before or after it: where somebody else has a CPU, it is done on the other one.
void Explorer::place_moves(Moved moved) {
  const Causality& causality = guide_.causality();
  const auto& events = causality.events();
  const auto& taken = guide_.taken();
  cpu_.resize(events.size());
  behind_.assign(events.size(), kNone);
  for (uint32_t i = 0; i < events.size(); ++i) cpu_[i] = taken[i].decision.cpu;
  std::array<uint32_t, Causality::kProcessesMax> count{};  // steps in the plan
  for (uint32_t i = 0; i < events.size(); ++i) count[events[i].process] += in_plan_[i];
  std::array<uint32_t, Causality::kProcessesMax> before{};  // so far
  for (uint32_t i = 0; i < events.size(); ++i) {
    const Decision& decision = taken[i].decision;
    const uint8_t task = decision.process;
    if (!in_plan_[i]) continue;
    if (decision.kind != Decision::Kind::kMigrate) {
      ++before[events[i].process];
      continue;
    }
    uint32_t from = moved == Moved::kEarly ? events[i].past[task] : before[task];  // steps that come before it
    const auto step = [&](uint32_t index) { return causality.event_of(task, index); };
    cpu_[i] = from == 0 ? guide_.home(task) : cpu_[step(from - 1)];
    for (uint32_t index = from; index < before[task]; ++index) cpu_[step(index)] = decision.cpu;
    while (moved == Moved::kLate && from < count[task] && events[step(from)].past[events[i].process] <= events[i].index &&
           events[step(from)].hash != causality.last_hash(task)) {
      cpu_[step(from++)] = cpu_[i];
    }
    if (from > 0) behind_[i] = step(from - 1);
    if (from < count[task]) behind_[step(from)] = i;
  }
}

// An order for the events of the plan and then `second`. Who keeps others out of a CPU at the end goes in when these have
// done there what they are to do.
bool Explorer::put_in_order(uint32_t second, Moved moved) {
  if (!put_in_order(second, moved, true)) return false;
  if (leave_something(second)) return true;
  const std::vector<uint32_t> impossible = order_;  // an interrupt is left out of it
  if (!put_in_order(second, moved, false) || !leave_something(second)) order_ = impossible;
  return true;
}

// late_last: who goes in to stay does so when all others are done, not when those on its CPU are.
bool Explorer::put_in_order(uint32_t second, Moved moved, bool late_last) {
  const auto& events = guide_.causality().events();
  order_.clear();
  const bool anybody = find_late(second);
  const Causality::Clock needs = guide_.causality().past_within(second, [&](uint32_t number) { return in_plan_[number]; });
  in_plan_[second] = true;
  place_moves(moved);
  ToDo todo = all_to_do();
  for (uint32_t i = 0; !anybody && i < events.size(); ++i) {
    if (in_plan_[i] && i != second) order_.push_back(i);
  }
  if (!anybody) order_.push_back(second);
  const uint32_t left = todo.left;
  std::array<uint32_t, kCpusMax> held{};  // decision that holds a CPU, and 1
  while (order_.size() < left) {
    // Late ones last, but no interrupt comes when nobody else has anything left to do.
    const auto first = [&](bool late) {
      uint32_t i = 0;
      while (i < events.size() && (!in_plan_[i] || (late_last && (late_[i] != Late::kNo) != late) ||
                                   !ready(i, i == second ? needs : events[i].past, todo))) {
        ++i;
      }
      return i;
    };
    const bool wait = left - order_.size() > todo.late + 1;
    uint32_t chosen = first(!wait);
    if (chosen == events.size()) chosen = first(wait);
    if (chosen == events.size() || !may_run(chosen, held)) return false;
    order_.push_back(chosen);
    take(chosen, todo);
  }
  return true;
}

// All of the plan. What somebody is to have done who could be kept out of a CPU counts for it; a migration for the CPU that
// is left, as nobody is moved from under a handler.
Explorer::ToDo Explorer::all_to_do() const {
  const auto& events = guide_.causality().events();
  ToDo todo;
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!in_plan_[i]) continue;
    const Decision& decision = guide_.taken()[i].decision;
    const bool handler = guide_.is_handler(decision.process);
    ++todo.left;
    ++todo.total[events[i].process];
    if (late_[i] != Late::kNo) {
      ++todo.late;
      if (!handler) ++todo.below[cpu_[i]];
    } else if (decision.kind != Decision::Kind::kDevice) {
      ++(handler ? todo.handlers : todo.tasks)[cpu_[i]];
    }
  }
  return todo;
}

void Explorer::take(uint32_t number, ToDo& todo) const {
  const Causality::Event& event = guide_.causality().events()[number];
  const Decision& decision = guide_.taken()[number].decision;
  const bool handler = guide_.is_handler(decision.process);
  const bool late = late_[number] != Late::kNo;
  const uint8_t cpu = cpu_[number];
  todo.done[event.process] = event.index + 1;
  if (is_interrupt(number)) ++todo.active[cpu];
  if (guide_.is_handler(event.process) && todo.done[event.process] == todo.total[event.process] && !late) --todo.active[cpu];
  if (late) {
    --todo.late;
    if (!handler) --todo.below[cpu];
  } else if (decision.kind != Decision::Kind::kDevice) {
    --(handler ? todo.handlers : todo.tasks)[cpu];
  }
}

// Whether it can come next, as far as others have to have come before: `past`, and who is kept out of its CPU by it.
bool Explorer::ready(uint32_t number, const Causality::Clock& past, const ToDo& todo) const {
  const auto& events = guide_.causality().events();
  const Causality::Event& event = events[number];
  if (event.index != todo.done[event.process]) return false;
  const uint32_t behind = behind_[number];
  if (behind != kNone && in_plan_[behind] && events[behind].index >= todo.done[events[behind].process]) return false;
  const uint8_t cpu = cpu_[number];
  const bool late = late_[number] != Late::kNo;
  if (late && todo.tasks[cpu] != 0) return false;
  if (late_[number] == Late::kForAll && todo.handlers[cpu] != 0) return false;
  if (late && guide_.is_handler(guide_.taken()[number].decision.process) && todo.below[cpu] != 0) return false;
  if (waits_for_task(number, todo) || (todo.active[cpu] != 0 && on_cpu_of_task(number))) return false;
  for (size_t process = 0; process < past.size(); ++process) {
    if (process != event.process && past[process] > todo.done[process]) return false;
  }
  return true;
}

bool Explorer::is_interrupt(uint32_t number) const {
  const Decision::Kind kind = guide_.taken()[number].decision.kind;
  return kind == Decision::Kind::kInterrupt || kind == Decision::Kind::kRaised;
}

// A step that a handler on top of the task keeps from being taken.
bool Explorer::on_cpu_of_task(uint32_t number) const {
  const Decision& decision = guide_.taken()[number].decision;
  return decision.kind == Decision::Kind::kRun && !guide_.is_handler(decision.process);
}

// Whether it is an interrupt whose handler needs something that is still to be done on its CPU by a task: that cannot be
// done when it has come.
bool Explorer::waits_for_task(uint32_t number, const ToDo& todo) const {
  if (!is_interrupt(number)) return false;
  const Causality& causality = guide_.causality();
  const uint8_t handler = causality.events()[number].process;
  const Causality::Clock& needs = causality.events()[causality.event_of(handler, todo.total[handler] - 1)].past;
  for (uint8_t process = 0; process < needs.size(); ++process) {
    if (process == handler || needs[process] <= todo.done[process]) continue;
    const uint32_t last = causality.event_of(process, needs[process] - 1);
    if (in_plan_[last] && on_cpu_of_task(last) && cpu_[last] == cpu_[number]) return true;
  }
  return false;
}

// An interrupt cannot come when nobody has anything left to do. Where one comes last, a step elsewhere that nothing in the
// plan hangs on goes behind it; or, if the plan has all that tasks do, one on its CPU is left to follow by default. False:
// there is none, and no other handler at work.
bool Explorer::leave_something(uint32_t second) {
  const auto& events = guide_.causality().events();
  const auto& taken = guide_.taken();
  size_t last = order_.size();  // the interrupt after which only handlers and late ones go on
  for (size_t i = order_.size(); i-- > 0;) {
    const Decision& decision = taken[order_[i]].decision;
    if (decision.kind == Decision::Kind::kInterrupt) last = i;
    if (!of_handler(order_[i])) break;
  }
  if (last == order_.size()) return true;
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
    if (decision.kind == Decision::Kind::kDevice || cpu_[order_[i]] != interrupt.cpu) {
      std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(i), order_.begin() + static_cast<std::ptrdiff_t>(i) + 1, order_.end());
      return true;
    }
    if (here == last && order_[i] != second) here = i;
  }
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!in_plan_[i] && !of_handler(i)) return true;
  }
  if (here == last) return handler_at_work(last);
  order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(here));
  return true;
}

// Whether a handler that has begun is not yet done when so much of the order is.
bool Explorer::handler_at_work(size_t done) const {
  const auto& events = guide_.causality().events();
  std::array<uint32_t, Causality::kProcessesMax> left{};
  for (uint32_t i = 0; i < happened_; ++i) left[events[i].process] += guide_.is_handler(events[i].process);
  std::array<bool, Causality::kProcessesMax> begun{};
  for (size_t i = 0; i < done; ++i) {
    const uint8_t process = events[order_[i]].process;
    begun[process] = guide_.is_handler(process);
    left[process] -= begun[process];
  }
  for (size_t process = 0; process < left.size(); ++process) {
    if (begun[process] && left[process] != 0) return true;
  }
  return false;
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
  const uint32_t by = held[cpu_[number]];
  if (by != 0 && taken[by - 1].decision.process != decision.process) {
    const Causality::Event& inside = causality.events()[by - 1];
    const Guide::Taken& next = taken[causality.event_of(inside.process, inside.index + 1)];
    if (guide_.is_handler(decision.process) ? next.keeps_handlers_out : next.keeps_tasks_out) return false;
  }
  if (late_[number] != Late::kNo) held[cpu_[number]] = number + 1;
  return true;
}

}  // namespace plait
