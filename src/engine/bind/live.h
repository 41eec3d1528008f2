// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace plait {

void add_live(nanobind::module_& module);

}  // namespace plait
