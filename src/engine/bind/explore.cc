// SPDX-License-Identifier: Apache-2.0
#include "bind/explore.h"

#include <nanobind/stl/string.h>

#include "bind/convert.h"
#include "bind/finding.h"
#include "bind/target.h"
#include "explore/explorer.h"

namespace nb = nanobind;

namespace plait {
namespace {

Bounds bounds_from(const nb::dict& object) {
  const auto get = [&](const char* key) {
    const nb::object value = object[key];
    return value.is_none() ? Bounds::kNone : nb::cast<uint32_t>(value);
  };
  return {get("preemptions"), get("interrupts"), get("migrations"), get("deviations"), nb::cast<bool>(object["reduce"]),
          nb::cast<uint64_t>(object["open"]),
          nb::cast<uint64_t>(object["states"])};
}

class PythonExplorer {
 public:
  PythonExplorer(Target& target, nb::dict scenario, nb::dict bounds, nb::handle limits, bool stop_on_failure)
      : target_(target), limits_(limits_from(limits)),
        explorer_(machine(), scenario_from(scenario, target.declaration()), bounds_from(bounds), limits_, stop_on_failure) {}

  nb::set classes() const {
    nb::set result;
    for (uint64_t hash : explorer_.classes()) result.add(nb::int_(hash));
    return result;
  }

  nb::list schedule() const { return to_python(machine().schedule()); }

  nb::dict step(double seconds, uint64_t executions_max) {
    std::vector<Finding> findings;
    run_on(target_, [&] { findings = explorer_.step(seconds, executions_max); });
    const ExplorerCounters& counters = explorer_.counters();
    nb::dict result;
    result["done"] = explorer_.done();
    result["complete"] = explorer_.complete();
    result["too_large"] = explorer_.too_large();
    result["too_many"] = explorer_.too_many();
    result["executions"] = counters.executions;
    result["classes"] = counters.classes;
    result["repeated"] = counters.repeated;
    result["beyond"] = counters.beyond;
    result["steps"] = counters.steps;
    result["gave_up"] = counters.gave_up;
    result["failures"] = counters.failures;
    result["open"] = counters.open;
    result["seconds"] = counters.seconds;
    nb::list list;
    for (const Finding& finding : findings) list.append(to_python(finding, target_.declaration(), limits_));
    result["findings"] = list;
    return result;
  }

 private:
  Target& target_;
  Limits limits_;
  Explorer explorer_;
};

}  // namespace

void add_explorer(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<PythonExplorer>(module, "Explorer")
      .def(nb::init<Target&, nb::dict, nb::dict, nb::handle, bool>(), "target"_a, "scenario"_a, "bounds"_a, "limits"_a,
           "stop_on_failure"_a, nb::keep_alive<1, 2>())
      .def("step", &PythonExplorer::step, "seconds"_a, "executions_max"_a)
      .def_prop_ro("classes", &PythonExplorer::classes)
      .def_prop_ro("schedule", &PythonExplorer::schedule);
}

}  // namespace plait
