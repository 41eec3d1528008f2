// SPDX-License-Identifier: Apache-2.0
#include "bind/finding.h"

#include "bind/convert.h"

namespace nb = nanobind;

namespace plait {

nb::dict to_python(const Finding& finding, const plait_target& target, const Limits& limits) {
  nb::dict object;
  object["verdict"] = verdict_to_python(finding.outcome);
  object["scenario"] = to_python(finding.scenario, target);
  object["schedule"] = to_python(finding.schedule);
  object["group"] = finding.outcome.cause;
  object["execution"] = finding.execution;
  object["steps"] = finding.outcome.steps;
  object["trace_hash"] = finding.trace_hash;
  object["seconds"] = finding.seconds;
  object["limits"] = to_python(limits, finding.outcome);
  return object;
}

}  // namespace plait
