// SPDX-License-Identifier: Apache-2.0
//
// A cursor for each CPU, moved with interrupts off; but which CPU's is decided before that, and the task may have
// migrated in between. Then two CPUs move one cursor.
#include <atomic>
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;

struct Cursor {
  std::atomic<uintptr_t> at;
};
PLAIT_PER_CPU(Cursor, cursors);

// A cursor at the beginning of a page, or zero, is at the end of the page before. The two accesses to it are atomic, so
// this is no data race; together they are not.
void* cut(std::atomic<uintptr_t>& cursor) {
  uintptr_t at = cursor.load(std::memory_order_relaxed);
  if (at % plait_page_size() == 0) at = reinterpret_cast<uintptr_t>(plait_page_alloc(1, 0));
  if (at) cursor.store(at + kObjectSize, std::memory_order_relaxed);
  return reinterpret_cast<void*>(at);
}

void* alloc_object(size_t) {
  Cursor* const mine = PLAIT_THIS_CPU(cursors);
  const plait_irq_flags_t flags = plait_irq_save();
  void* const object = cut(mine->at);
  plait_irq_restore(flags);
  return object;
}

int forget_object(void*) { return 0; }

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = forget_object, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
