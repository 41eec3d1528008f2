// SPDX-License-Identifier: Apache-2.0
//
// A loaded target as the machine sees it: code and globals of a shared object, or a model's, or both (a model may call
// native functions).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/range.h"
#include "plait/driver.h"
#include "plait/target.h"

namespace plait {

struct TargetImage {
  const plait_target* declaration = nullptr;
  const plait_driver* driver = nullptr;
  uintptr_t load_base = 0;
  size_t load_size = 0;
  std::vector<AddressRange> code;
  AddressRange data;
  std::vector<AddressRange> constants;
  AddressRange tls;
  std::vector<std::byte> tls_image;
  // Of a model: bytes of globals in the arena, and places in its source as program counters above those of the module.
  size_t globals_size = 0;
  bool has_model = false;
  const plait_target* model = nullptr;  // for native code above it
  void (*over)(void*) = nullptr;  // told on the main stack when an execution is over: nothing goes on that was in it
  void* over_argument = nullptr;

  static constexpr size_t kModelCode = size_t{1} << 24;  // from load_base; as many follow
  size_t code_span() const { return has_model ? 2 * kModelCode - 1 : load_size; }
};

}  // namespace plait
