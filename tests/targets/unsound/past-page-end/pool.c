// SPDX-License-Identifier: Apache-2.0
//
// Cuts objects from a page, and one more than it has: the test for its end is off by one.
#include "plait/target.h"

#define OBJECT_SIZE 128

static plait_spinlock_t lock;
static char *page;
static size_t used;

static void *cut(size_t size) {
  (void)size;
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  if (!page || used > plait_page_size()) {
    page = plait_page_alloc(1, 0);
    used = 0;
  }
  char *object = page ? page + used : NULL;
  used += OBJECT_SIZE;
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

static int forget(void *object) {
  (void)object;
  return 0;
}

PLAIT_TARGET(.alloc = cut, .free = forget, .size_max = OBJECT_SIZE,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
