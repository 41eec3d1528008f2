// SPDX-License-Identifier: Apache-2.0
//
// Clears one word more than the object has, and the next object is held.
#include "plait/target.h"

#define OBJECT_SIZE 64
static uintptr_t top;  // objects are cut from the end of a page downwards
static plait_spinlock_t lock;

static uint64_t *cut(void) {
  if (top % plait_page_size() == 0) {
    uintptr_t page = (uintptr_t)plait_page_alloc(1, 0);
    if (page == 0) return NULL;
    top = page + plait_page_size() - OBJECT_SIZE;  // the first one has somewhere to overflow to, too
  }
  top -= OBJECT_SIZE;
  return (uint64_t *)top;
}

static void *cut_and_clear(size_t size) {
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  uint64_t *object = cut();
  (void)size;
  for (size_t i = 0; object && i <= OBJECT_SIZE / sizeof *object; ++i) object[i] = 0;  // dies here
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

static int forget(void *object) {
  (void)object;
  return 0;
}

PLAIT_TARGET(.alloc = cut_and_clear, .free = forget, .size_min = OBJECT_SIZE, .size_max = OBJECT_SIZE,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
