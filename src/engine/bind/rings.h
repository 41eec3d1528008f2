// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of virtqueues for tests/unit/test_rings.py, which compares it with the specification's formulas.
#pragma once

#include <nanobind/nanobind.h>

namespace plait {

void add_rings(nanobind::module_& module);

}  // namespace plait
