// SPDX-License-Identifier: Apache-2.0
//
// A program that fails if the one interrupt, or the one migration, comes right after write AT of the task's allocation;
// its neighbours are as good as none. Interrupt: the handler's allocation looks at what was written last. Migration: the
// task looks after each write where it is.
#include <cstddef>
#include <cstdint>

#include "plait/target.h"

namespace {

constexpr uint32_t kWrites = WRITES;

volatile uint32_t word;
std::byte* page;

void init() { page = static_cast<std::byte*>(plait_page_alloc(1, 0)); }

void write_all() {
  uint32_t cpu = plait_cpu_id();
  for (uint32_t i = 1; i <= kWrites; ++i) {
    word = i;
    const uint32_t now = MIGRATION ? plait_cpu_id() : cpu;
    PLAIT_ASSERT(now == cpu || i != AT);
    cpu = now;
  }
}

void* alloc_object(size_t) {
  if (plait_in_handler()) {
    PLAIT_ASSERT(MIGRATION || word != AT);
    return page + 8;
  }
  write_all();
  return page;
}

int free_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.init = init, .alloc = alloc_object, .free = free_object, .size_max = 8,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
