// SPDX-License-Identifier: Apache-2.0
//
// Rounds the request down to a power of two. Each object ends where its page does (../../sound/page-per-object), so
// what is missing is not there at all.
#include <bit>
#include <cstddef>

#include "plait/target.h"

namespace {

void* alloc_object(size_t size) {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  return page ? page + plait_page_size() - std::bit_floor(size) : nullptr;
}

int free_object(void* object) {
  plait_page_free(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1)), 1);
  return 0;
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .size_min = 8, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
