// SPDX-License-Identifier: Apache-2.0
//
// A program whose only failure has a known depth, so that a strategy's promise can be checked. The first allocation
// writes 1, 2, … kWrites to a word; a worker looks at the word kLooks times. The failure is that it sees exactly one of
// the possible sequences, so one point in the execution is right for each switch, and its neighbours are not:
//
//   depth 1  the worker is first: it sees 0                               DEPTH=1
//   depth 2  the writer is cut after write AT, once: it sees AT           DEPTH=2
//   depth 3  and the worker is cut between its looks: it sees AT, kWrites DEPTH=3
#include <cstddef>
#include <cstdint>

#include "plait/target.h"

namespace {

constexpr uint32_t kWrites = WRITES;

volatile uint32_t word;
std::byte* page;
thread_local uint32_t handed_out;  // not memory that anybody else could touch: costs no step

void watch(void*) {
  const uint32_t first = word;
  const uint32_t last = DEPTH == 3 ? word : kWrites;
  PLAIT_ASSERT(first != AT || last != kWrites);
  static plait_wait_queue_t nobody_wakes;
  for (;;) plait_wait(&nobody_wakes);
}

void init() {
  page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  plait_worker_start(0, watch, nullptr);
}

void* alloc_object(size_t) {
  if (handed_out == 0) {
    for (uint32_t i = 1; i <= kWrites; ++i) word = i;
  }
  return page + 8 * handed_out++;
}

int free_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.init = init, .alloc = alloc_object, .free = free_object, .size_max = 8);
