// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer, driven from here: its bytes are decoded, run and counted without Python, which hears of failures only.
#pragma once

#include <nanobind/nanobind.h>

namespace plait {

void add_fuzzer(nanobind::module_& module);

}  // namespace plait
