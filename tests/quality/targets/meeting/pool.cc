// SPDX-License-Identifier: Apache-2.0
//
// A bug of depth 2 in a long program, where all but three steps are nobody else's business. The first allocation writes
// to a word of its own STEPS times, then 1 and 2 to the word that a worker looks at, and to its own STEPS times more.
// The failure is that the worker sees 1: one place among 2 STEPS for whoever counts steps, one of three for whoever
// counts meetings.
#include <cstddef>
#include <cstdint>

#include "plait/target.h"

namespace {

alignas(8) volatile uint32_t word;
alignas(8) volatile uint32_t own;  // not in the same eight bytes
std::byte* page;
thread_local uint32_t handed_out;  // not memory that anybody else could touch: costs no step

void watch(void*) {
  PLAIT_ASSERT(word != 1);
  static plait_wait_queue_t nobody_wakes;
  for (;;) plait_wait(&nobody_wakes);
}

void init() {
  page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  plait_worker_start(0, watch, nullptr);
}

void busy() {
  for (uint32_t i = 0; i < STEPS; ++i) own = i;
}

void* alloc_object(size_t) {
  if (handed_out == 0) {
    busy();
    word = 1;
    word = 2;
    busy();
  }
  return page + 8 * handed_out++;
}

int free_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.init = init, .alloc = alloc_object, .free = free_object, .size_max = 8);
