// SPDX-License-Identifier: Apache-2.0
//
// Programs that go wrong only when a known number of steps come in the right order: the depth of the bug. They have the
// shapes by which search strategies are compared in the literature (README.md), each a header that PROGRAM names. Its
// contexts are workers, so that every scenario runs all of them; the scenario's own task only gets in their way.
// FIXED: the same program without its bug.
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plait/target.h"

namespace {

void sleep_for_ever() {
  static plait_wait_queue_t nobody_wakes;
  for (;;) plait_wait(&nobody_wakes);
}

// A word that several contexts use as they are told to, not a race; all eight bytes of a place that accesses meet in.
using Word = volatile uint64_t;

}  // namespace

// Defines kWorkers and `void work(uint32_t who)`; with HANDLER also `void handle()`, what a handler's first allocation does.
#include PROGRAM

namespace {

std::byte* pages;
thread_local uint32_t handed_out;  // not memory that anybody else could touch: costs no step
std::atomic<uint64_t> handed_to_handlers;

void run(void* who) {
  work(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(who)));
  sleep_for_ever();
}

void init() {
  pages = static_cast<std::byte*>(plait_page_alloc(2, 0));
  for (uintptr_t who = 0; who < kWorkers; ++who) {
    plait_worker_start(static_cast<uint32_t>(who) % plait_cpu_count(), run, reinterpret_cast<void*>(who));
  }
}

// There is one task, so its objects need no step; handlers get theirs from the second page.
void* alloc_object(size_t) {
#ifdef HANDLER
  if (plait_in_handler()) {
    handle();
    return pages + plait_page_size() + 8 * handed_to_handlers++;
  }
#endif
  return pages + 8 * handed_out++;
}

int free_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.init = init, .alloc = alloc_object, .free = free_object, .size_max = 8,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
