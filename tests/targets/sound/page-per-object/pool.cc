// SPDX-License-Identifier: Apache-2.0
//
// Each object has a page of its own and ends where the page does, so that the first byte beyond it is not there: how
// guard-page debuggers do it. It has no state at all.
#include <bit>
#include <cstddef>

#include "plait/target.h"

namespace {

void* alloc_object(size_t size) {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  return page ? page + plait_page_size() - std::bit_ceil(size) : nullptr;
}

int free_object(void* object) {
  plait_page_free(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1)), 1);
  return 0;
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .size_min = 8, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
