// SPDX-License-Identifier: Apache-2.0
#include "explore/linearizer.h"

#include <algorithm>

#include "base/prng.h"

namespace plait {

const std::vector<Linearizer::Found>& Linearizer::find(const std::vector<bool>& in_plan, uint32_t second, size_t happened) {
  second_ = second;
  happened_ = happened;
  needs_ = guide_.causality().past_within(second, [&](uint32_t number) { return in_plan[number]; });
  return find(in_plan);
}

const std::vector<Linearizer::Found>& Linearizer::find(const std::vector<bool>& in_plan, const Decision& option, uint8_t process,
                                                       const Causality::Clock& past, size_t happened) {
  second_ = kOption;
  option_ = option;
  option_process_ = process;
  happened_ = happened;
  needs_ = past;
  return find(in_plan);
}

const std::vector<Linearizer::Found>& Linearizer::find(const std::vector<bool>& in_plan) {
  const auto& events = guide_.causality().events();
  planned_.fill(0);
  total_.fill(0);
  known_.fill(0);
  for (uint32_t i = 0; i < events.size(); ++i) {
    planned_[events[i].process] += in_plan[i] || i == second_;
    total_[events[i].process] += i < happened_;
    ++known_[events[i].process];
  }
  if (second_ == kOption) option_index_ = planned_[option_process_]++;
  found_.clear();
  gave_up_ = false;
  const State first = begin();
  if (as_taken(first) || search_all(first)) found_ = {{{}, order_}};
  return found_;
}

Linearizer::State Linearizer::begin() const {
  State state;
  for (uint8_t process = 0; process < planned_.size(); ++process) {
    state.left += planned_[process];
    if (planned_[process] == 0) continue;
    const Decision& decision = decision_of(event_of(process, 0));
    state.interrupts += is_interrupt(decision);
    state.moves[decision.process] += decision.kind == Decision::Kind::kMigrate;
  }
  for (uint8_t thread : guide_.threads()) {
    if (known_[thread] == 0 && !guide_.is_task(thread)) {
      state.asleep |= 1u << thread;  // a worker without a step: it is not known where
      continue;
    }
    state.cpu[thread] = guide_.is_task(thread) ? guide_.home(thread) : decision_of(event_of(thread, 0)).cpu;
    state.join(thread);
  }
  return state;
}

// Most can be done as they were.
bool Linearizer::as_taken(State state) {
  const auto& events = guide_.causality().events();
  order_.clear();
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (i == second_ || events[i].index >= planned_[events[i].process]) continue;
    if (!ready(i, state) || !take(i, state)) return false;
  }
  return ready(second_, state) && take(second_, state);
}

bool Linearizer::search_all(const State& state) {
  order_.clear();
  seen_.clear();
  return search(state);
}

bool Linearizer::search(State state) {
  go_on(state);
  if (state.left == 0) return true;
  if (seen(state)) return false;
  std::array<uint32_t, Causality::kProcessesMax> choices;
  size_t count = 0;
  for (uint8_t process = 0; process < planned_.size(); ++process) {
    if (!planned(process, state)) continue;
    const uint32_t number = next_of(process, state);
    if (ready(number, state)) choices[count++] = number;
  }
  std::sort(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(count));
  const size_t length = order_.size();
  bool any = false;
  for (size_t i = 0; i < count; ++i) {
    State other = state;
    if (!take(choices[i], other)) continue;
    any = true;
    if (search(other)) return true;
    order_.resize(length);
  }
  if (!any) keep(state);
  return false;
}

// Steps that keep nobody from anything. With a bound on preemptions of who is at it.
void Linearizer::go_on(State& state) {
  for (bool any = true; any && state.left != 0;) {
    any = false;
    for (uint8_t process = 0; process < planned_.size(); ++process) {
      if (bounded() && (process != state.last || !on_top(process, state))) continue;
      while (planned(process, state)) {
        const uint32_t number = next_of(process, state);
        if (decides(number, state) || !ready(number, state)) break;
        take(number, state);
        any = true;
      }
    }
  }
}

bool Linearizer::seen(const State& state) {
  uint64_t sum = mix(1, state.last);
  for (uint16_t done : state.done) sum = mix(sum, done);
  for (uint32_t cpu = 0; cpu < kCpusMax; ++cpu) {
    sum = mix(sum, uint64_t{state.depth[cpu]} << 8 | state.count[cpu]);
    for (uint32_t i = 0; i < state.depth[cpu]; ++i) sum = mix(sum, state.handlers[cpu][i]);
    for (uint32_t i = 0; i < state.count[cpu]; ++i) sum = mix(sum, state.threads[cpu][i]);
  }
  if (seen_.size() >= states_max_) gave_up_ = true;
  if (gave_up_) return true;
  const auto [found, fresh] = seen_.try_emplace(sum, state.spent);
  if (!fresh && found->second <= state.spent) return true;
  found->second = state.spent;
  return false;
}

// An end of the search, unless another has all that this one has.
void Linearizer::keep(const State& state) {
  if (state.done[process_of(second_)] <= index_of(second_)) return;
  const auto within = [](const auto& less, const auto& more) {
    return std::equal(less.begin(), less.end(), more.begin(), [](uint16_t a, uint16_t b) { return a <= b; });
  };
  if (std::any_of(found_.begin(), found_.end(), [&](const Found& found) { return within(state.done, found.done); })) return;
  std::erase_if(found_, [&](const Found& found) { return within(found.done, state.done); });
  found_.push_back({state.done, order_});
}

}  // namespace plait
