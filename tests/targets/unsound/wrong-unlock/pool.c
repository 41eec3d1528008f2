// SPDX-License-Identifier: Apache-2.0
//
// Has a lock for each direction, and mixes them up in free.
#include "plait/target.h"

// A page is kept when it is freed, and handed out again by the short way.
static plait_spinlock_t lock, other_lock;
static void *kept;

static void *take_page(size_t size) {
  (void)size;
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  void *page = kept;
  kept = NULL;
  plait_spin_unlock_irqrestore(&lock, flags);
  return page ? page : plait_page_alloc(1, 0);
}

static int keep_page(void *object) {
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  void *spare = kept;
  kept = object;
  plait_spin_unlock_irqrestore(&other_lock, flags);
  if (spare) plait_page_free(spare, 1);
  return 0;
}

static void check(void) {
  if (kept) plait_report_free(kept, PLAIT_NO_CPU);
}

PLAIT_TARGET(.alloc = take_page, .free = keep_page, .check = check, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
