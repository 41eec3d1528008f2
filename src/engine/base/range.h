// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait {

struct AddressRange {
  uintptr_t base = 0;
  size_t size = 0;  // bytes
  bool contains(uintptr_t address) const { return address - base < size; }
};

}  // namespace plait
