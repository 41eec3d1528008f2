// SPDX-License-Identifier: Apache-2.0
#include "bind/probe.h"

#include <utility>

#include "bind/convert.h"
#include "strategy/registry.h"

namespace nb = nanobind;

namespace plait {
namespace {

constexpr uint64_t kSeed = 0x77687921;  // any: the same question has the same answer

struct Seen {
  Outcome outcome;
  std::vector<Deviation> schedule;
  uint64_t count = 0;
};

Closing::Places places_from(nb::handle list) {
  Closing::Places places;
  for (nb::handle place : nb::cast<nb::list>(list)) places.push_back(nb::cast<uint64_t>(place));
  return places;
}

Closing closing_from(nb::handle handle) {
  Closing closing;
  if (handle.is_none()) return closing;
  const auto object = nb::cast<nb::dict>(handle);
  closing.guards = nb::cast<uint32_t>(object["guards"]);
  for (nb::handle item : nb::cast<nb::list>(object["windows"])) {
    const auto window = nb::cast<nb::tuple>(item);
    closing.windows.push_back({places_from(window[0]), places_from(window[1])});
  }
  if (closing.windows.size() > 32) throw nb::value_error("more than 32 windows");
  closing.marked = places_from(object["marked"]);
  return closing;
}

class Prober {
 public:
  Prober(const Limits& limits, const Closing* closing) : limits_(limits) {
    options_.closing = closing;
    options_.exact = true;
  }

  void run(Strategy& strategy, uint64_t seed) {
    options_.limits = limits_;
    const Outcome outcome = machine().run(strategy, seed, options_);
    limits_.shared_stacks |= outcome.shared_stacks;
    const bool failed = outcome.verdict == VerdictKind::kFailed;
    const std::pair key{outcome.verdict, failed ? outcome.cause : 0};
    numbers_.push_back(0);
    while (numbers_.back() < seen_.size() && keys_[numbers_.back()] != key) ++numbers_.back();
    if (numbers_.back() == seen_.size()) {
      keys_.push_back(key);
      seen_.push_back({outcome, machine().schedule(), 0});
    }
    ++seen_[numbers_.back()].count;
  }

  const std::vector<Seen>& seen() const { return seen_; }
  const std::vector<uint32_t>& numbers() const { return numbers_; }

 private:
  Limits limits_;
  RunOptions options_;
  std::vector<std::pair<VerdictKind, uint64_t>> keys_;
  std::vector<Seen> seen_;
  std::vector<uint32_t> numbers_;  // of the outcome, for each execution
};

}  // namespace

nb::list fates_of(const std::vector<Replay::State>& states) {
  nb::list fates;
  for (const Replay::State state : states) {
    fates.append(state == Replay::State::kTaken ? "made" : state == Replay::State::kDropped ? "not enabled" : "not reached");
  }
  return fates;
}

nb::dict probe(Target& target, nb::dict scenario_object, nb::list schedule_objects, nb::handle limits_object, uint32_t executions,
               nb::handle closing_object) {
  const Scenario scenario = scenario_from(scenario_object, target.declaration());
  std::vector<std::vector<Deviation>> schedules;
  for (nb::handle item : schedule_objects) schedules.push_back(schedule_from(nb::cast<nb::list>(item)));
  const Limits limits = limits_from(limits_object);
  const Closing closing = closing_from(closing_object);
  Prober prober{limits, closing_object.is_none() ? nullptr : &closing};
  std::vector<std::vector<Replay::State>> states;
  run_on(target, [&] {
    machine().load(scenario, limits);
    for (const auto& schedule : schedules) {
      Replay replay{schedule};
      prober.run(replay, 0);
      states.push_back(replay.states());
    }
    const auto walk = make_strategy("random");
    for (uint32_t i = 0; i < executions; ++i) prober.run(*walk, mix(kSeed, i));
  });
  nb::list outcomes, numbers, fates;
  for (const Seen& seen : prober.seen()) {
    nb::dict item;
    item["verdict"] = verdict_to_python(seen.outcome);
    item["schedule"] = to_python(seen.schedule);
    item["count"] = seen.count;
    outcomes.append(item);
  }
  for (size_t i = 0; i < schedules.size(); ++i) {
    numbers.append(prober.numbers()[i]);
    fates.append(fates_of(states[i]));
  }
  nb::dict result;
  result["outcomes"] = outcomes;
  result["numbers"] = numbers;
  result["fates"] = fates;
  return result;
}

}  // namespace plait
