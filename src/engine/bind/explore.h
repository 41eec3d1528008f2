// SPDX-License-Identifier: Apache-2.0
//
// The exhaustive search of one scenario, as Python sees it.
#pragma once

#include <nanobind/nanobind.h>

namespace plait {

void add_explorer(nanobind::module_& module);

}  // namespace plait
