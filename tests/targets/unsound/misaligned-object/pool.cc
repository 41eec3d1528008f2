// SPDX-License-Identifier: Apache-2.0
//
// Leaves room for a small header in front of each object, and forgets what that does to its alignment.
#include <cstddef>

#include "plait/target.h"

namespace {

void* alloc_object(size_t) {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  return page ? page + sizeof(uint32_t) : nullptr;
}

int free_object(void* object) {
  plait_page_free(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1)), 1);
  return 0;
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .size_min = 8, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
