// SPDX-License-Identifier: Apache-2.0
//
// Hands out the next bytes of a region by one atomic addition, and takes nothing back; past the region each object gets
// a page of its own. Without a check function, conservation is not asked for.
#include <atomic>
#include <bit>
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kRegionPages = 4;
std::byte* region;
std::atomic<size_t> used;  // bytes, also those that were not there any more

void init() { region = static_cast<std::byte*>(plait_page_alloc(kRegionPages, 0)); }

void* alloc_object(size_t size) {
  const size_t bytes = std::bit_ceil(size < 8 ? 8 : size);
  const size_t at = used.fetch_add(bytes, std::memory_order_relaxed);
  if (region && at + bytes <= kRegionPages * plait_page_size()) return region + at;
  return plait_page_alloc(1, 0);
}

int free_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.init = init, .alloc = alloc_object, .free = free_object, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
