// SPDX-License-Identifier: Apache-2.0
//
// What a search or a fuzzer has found, for Python.
#pragma once

#include <nanobind/nanobind.h>

#include "search/search.h"

namespace plait {

nanobind::dict to_python(const Finding& finding, const plait_target& target, const Limits& limits);

}  // namespace plait
