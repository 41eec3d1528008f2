// SPDX-License-Identifier: Apache-2.0
//
// Smaller programs that fail as a larger one did, for the shrinker: those that it names, or drawn by chance.
#pragma once

#include <nanobind/nanobind.h>

#include "bind/target.h"

namespace plait {

void add_hunt(nanobind::module_& module);

}  // namespace plait
