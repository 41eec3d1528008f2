// SPDX-License-Identifier: Apache-2.0
#include "bind/hunt.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/names.h"
#include "bind/convert.h"
#include "search/sweep.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace plait {
namespace {

constexpr uint64_t kSeed = 0x68756e74;  // any: the same question has the same answer

FailureKind kind_from(const std::string& word) {
  for (uint32_t i = 0; i < static_cast<uint32_t>(FailureKind::kCount); ++i) {
    if (name(static_cast<FailureKind>(i)) == word) return static_cast<FailureKind>(i);
  }
  throw nb::value_error("no such kind of failure");
}

struct Asked {
  SweepOptions sweep;
  std::vector<uint64_t> until;
};

Asked asked_from(const nb::dict& object) {
  Asked asked;
  asked.sweep.kind = kind_from(nb::cast<std::string>(object["kind"]));
  asked.sweep.deviations = nb::cast<uint32_t>(object["deviations"]);
  asked.sweep.executions = nb::cast<uint32_t>(object["executions"]);
  asked.sweep.limits = limits_from(object["limits"]);
  for (const Deviation& deviation : schedule_from(nb::cast<nb::list>(object["schedule"]))) {
    asked.sweep.moves.push_back(deviation.move);
  }
  asked.sweep.anywhere = nb::cast<bool>(object["anywhere"]);
  asked.until = nb::cast<std::vector<uint64_t>>(object["until"]);
  return asked;
}

struct Hit {
  Scenario scenario;
  std::vector<Swept> found;
};

struct Took {
  uint64_t executions = 0;
  uint64_t spent = 0;
  bool complete = true;

  void add(const Sweep& sweep) {
    executions += sweep.executions();
    spent += sweep.spent();
    complete &= sweep.complete();
  }
};

nb::dict to_python(const std::vector<Hit>& hits, const Took& took, const plait_target& target) {
  nb::list list;
  for (const Hit& hit : hits) {
    const nb::dict scenario = to_python(hit.scenario, target);
    for (const Swept& swept : hit.found) {
      nb::dict item;
      item["scenario"] = scenario;
      item["schedule"] = to_python(swept.schedule);
      item["verdict"] = verdict_to_python(swept.outcome);
      item["cause"] = swept.outcome.cause;
      list.append(item);
    }
  }
  nb::dict result;
  result["found"] = list;
  result["executions"] = took.executions;
  result["spent"] = took.spent;
  result["complete"] = took.complete;
  return result;
}

// Sweeps each of these in turn, until one fails with a cause that is asked for.
nb::dict sweep(Target& target, nb::list scenario_objects, nb::dict options) {
  Asked asked = asked_from(options);
  asked.sweep.until = asked.until;
  std::vector<Scenario> scenarios;
  for (nb::handle item : scenario_objects) {
    try {
      scenarios.push_back(scenario_from(nb::cast<nb::dict>(item), target.declaration()));
    } catch (const nb::builtin_exception&) {  // a size that the target does not take
    }
  }
  std::vector<Hit> hits;
  Took took;
  run_on(target, [&] {
    for (const Scenario& scenario : scenarios) {
      machine().load(scenario, asked.sweep.limits);
      Sweep one{machine(), asked.sweep, kSeed};
      const bool over = one.run();
      took.add(one);
      if (!one.found().empty()) hits.push_back({scenario, one.found()});
      if (over) break;
    }
  });
  return to_python(hits, took, target.declaration());
}

// What has to be smaller than the failing execution for a drawn program to be of interest.
struct Smaller {
  uint32_t deviations;
  ProgramSize size;

  // With how many deviations a program of this size would be smaller; below 0: with none.
  int allowed(const ProgramSize& program) const {
    if (program < size) return static_cast<int>(deviations);
    return static_cast<int>(deviations) - 1;
  }
};

Range at_most(Range range, uint32_t max) { return {std::min(range.min, max), std::min(range.max, max)}; }

// Draws programs and sweeps those that are smaller, until one fails with a cause that is asked for.
nb::dict draw(Target& target, nb::dict search_options, nb::dict options, uint32_t contexts, uint32_t operations, uint64_t budget,
              uint64_t seed) {
  const SearchOptions search = options_from(search_options);
  Asked asked = asked_from(options);
  const Smaller smaller{asked.sweep.deviations, {contexts, operations}};
  Environment environment = search.environment;
  environment.tasks = at_most({1, environment.tasks.max}, contexts);
  environment.interrupts = at_most({0, environment.interrupts.max}, contexts / 2);
  environment.cpus = {1, environment.cpus.max};
  std::vector<Hit> hits;
  Took took;
  run_on(target, [&] {
    bool over = false;
    for (uint64_t i = 0; !over && took.spent < budget; ++i) {
      Prng prng{mix(mix(kSeed, seed), i)};
      const uint32_t wanted = 1 + prng.below(operations);
      Scenario scenario = generate(target.declaration(), environment, search.preset, wanted, prng.one_in(2), prng);
      for (LineSpec& line : scenario.lines) {
        if (line.vector == LineSpec::kNoVector) line.fires = 1;
      }
      ++took.spent;  // so that it comes to its end whatever is drawn
      const int allowed = smaller.allowed(size_of(scenario));
      if (allowed < 0) continue;
      machine().load(scenario, asked.sweep.limits);
      SweepOptions one_options = asked.sweep;
      one_options.until = asked.until;
      one_options.deviations = static_cast<uint32_t>(allowed);
      Sweep one{machine(), one_options, prng.next()};
      over = one.run();
      took.add(one);
      if (!one.found().empty()) hits.push_back({scenario, one.found()});
    }
  });
  return to_python(hits, took, target.declaration());
}

}  // namespace

void add_hunt(nb::module_& module) {
  module.def("sweep", &sweep, "target"_a, "scenarios"_a, "options"_a);
  module.def("draw", &draw, "target"_a, "search"_a, "options"_a, "contexts"_a, "operations"_a, "budget"_a, "seed"_a);
}

}  // namespace plait
