// SPDX-License-Identifier: Apache-2.0
//
// The device of a scenario, from Python and back.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "machine/machine.h"

namespace plait {

DeviceKind device_kind(const std::string& name);  // "": none. Throws ValueError
void add_device(Scenario& scenario, const nanobind::dict& object);  // after all other lines
nanobind::dict to_python(const DeviceSpec& device);
nanobind::list rings_to_python(Machine& machine);  // (queue, size, table, available, used), offsets in the arena

}  // namespace plait
