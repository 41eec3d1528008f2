// SPDX-License-Identifier: Apache-2.0
//
// plait._engine: what Python sees of the engine. The only place that knows Python. The process has one machine; a run
// holds it, with the GIL released, until it is over.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bind/convert.h"
#include "bind/explore.h"
#include "bind/finding.h"
#include "bind/fuzzer.h"
#include "bind/hunt.h"
#include "bind/live.h"
#include "bind/probe.h"
#include "bind/rings.h"
#include "bind/target.h"
#include "strategy/registry.h"
#include "strategy/replay.h"

namespace nb = nanobind;

namespace plait {
namespace {

nb::dict run(Target& target, nb::dict scenario_object, nb::list schedule_objects, bool detail, nb::handle limits_object) {
  const Scenario scenario = scenario_from(scenario_object, target.declaration());
  if (scenario.device.kind != DeviceKind::kNone && !target.has_driver()) {
    throw nb::value_error("the scenario has a device, and the target was built without a driver");
  }
  if (scenario.device.kind != DeviceKind::kNone && target.device() != scenario.device.kind) {
    throw nb::value_error("the scenario has another device than the driver is for");
  }
  Replay replay{schedule_from(schedule_objects)};
  const Limits limits = limits_from(limits_object);
  Outcome outcome;
  run_on(target, [&] {
    machine().load(scenario, limits);
    outcome = machine().run(replay, 0, {limits, true, detail});
  });
  nb::dict result = outcome_to_python(machine(), outcome, limits, detail);
  result["dropped_deviations"] = replay.dropped();
  result["fates"] = fates_of(replay.states());
  return result;
}

// For bench/: what it costs that every step passes through the engine to somebody who looks at it.
class EmptySink final : public AccessSink {
 public:
  void begin() override {}
  void step(const AccessEvent&) override {}
};

SearchOptions search_options(const Target& target, const nb::dict& object) {
  SearchOptions options = options_from(object);
  if (object.contains("scenario") && !object["scenario"].is_none()) {
    options.scenario = scenario_from(nb::cast<nb::dict>(object["scenario"]), target.declaration());
  }
  return options;
}

class PythonSearch {
 public:
  PythonSearch(Target& target, nb::dict options)
      : target_(target), search_(machine(), target.declaration(), search_options(target, options)),
        limits_(options_from(options).limits),
        with_sink_(options.contains("empty_sink") && nb::cast<bool>(options["empty_sink"])) {}

  nb::dict step(double seconds) {
    std::vector<Finding> findings;
    run_on(target_, [&] {
      if (with_sink_) machine().set_sink(&sink_);
      findings = search_.step(seconds);
      machine().set_sink(nullptr);
    });
    const SearchCounters& counters = search_.counters();
    nb::dict result;
    result["done"] = search_.done();
    result["executions"] = counters.executions;
    result["accesses"] = counters.accesses;
    result["steps"] = counters.steps;
    result["scenarios"] = counters.scenarios;
    result["behaviours"] = counters.behaviours;
    result["gave_up"] = counters.gave_up;
    result["failures"] = counters.failures;
    result["requests"] = counters.requests;
    result["seconds"] = counters.seconds;
    result["costs"] = plait::to_python(counters.costs);
    nb::list list;
    for (const Finding& finding : findings) list.append(to_python(finding, target_.declaration(), limits_));
    result["findings"] = list;
    return result;
  }

  nb::dict causes() const {
    nb::dict counts;
    for (const auto& [cause, count] : search_.causes()) counts[nb::int_(cause)] = count;
    return counts;
  }

 private:
  Target& target_;
  Search search_;
  Limits limits_;
  EmptySink sink_;
  bool with_sink_;
};

nb::list strategies() {
  nb::list names;
  for (std::string_view name : strategy_names()) names.append(nb::str(name.data(), name.size()));
  return names;
}

}  // namespace
}  // namespace plait

NB_MODULE(_engine, module) {
  using namespace plait;
  using namespace nb::literals;
  module.doc() = "Plait's engine. Use the modules of the plait package instead.";
  nb::set_leak_warnings(false);  // a search that is still referenced when the process ends is no mistake
  if (!model::add_types(module.ptr())) nb::raise_python_error();
  nb::class_<Target>(module, "Target").def_prop_ro("info", &Target::info);
  nb::class_<NativeModule, Target>(module, "NativeTarget").def(nb::init<const std::string&>(), "path"_a);
  nb::class_<ModelTarget, Target>(module, "ModelTarget")
      .def(nb::init<nb::dict, NativeModule*>(), "declaration"_a, "native"_a = nb::none(), nb::keep_alive<1, 3>());
  nb::class_<PythonSearch>(module, "Search")
      .def(nb::init<Target&, nb::dict>(), "target"_a, "options"_a, nb::keep_alive<1, 2>())
      .def("step", &PythonSearch::step, "seconds"_a)
      .def_prop_ro("causes", &PythonSearch::causes);
  add_live(module);
  add_explorer(module);
  module.def("run", &run, "target"_a, "scenario"_a, "schedule"_a, nb::kw_only(), "detail"_a = false,
             "limits"_a = nb::none());
  add_rings(module);
  add_hunt(module);
  module.def("probe", &probe, "target"_a, "scenario"_a, "schedules"_a, nb::kw_only(), "limits"_a, "executions"_a = 0,
             "closing"_a = nb::none());
  add_fuzzer(module);
  module.def("globals_address", [] { return machine().memory().globals(); });
  module.def("strategies", &strategies);
  module.def("version", [] { return PLAIT_VERSION; });
  module.attr("DEFAULT_LIMITS") = to_python(Limits{}, Outcome{});
}
