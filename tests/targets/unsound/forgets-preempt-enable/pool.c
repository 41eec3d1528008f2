// SPDX-License-Identifier: Apache-2.0
//
// Releases the lock on its short way, and leaves preemption off.
#include "plait/target.h"

// A page is kept when it is freed, and handed out again by the short way.
static plait_spinlock_t lock;
static void *kept;

static void *take_page(size_t size) {
  (void)size;
  plait_preempt_disable();
  plait_spin_lock(&lock);
  void *page = kept;
  kept = NULL;
  plait_spin_unlock(&lock);
  if (page) return page;
  plait_preempt_enable();
  return plait_page_alloc(1, 0);
}

static int keep_page(void *object) {
  plait_preempt_disable();
  plait_spin_lock(&lock);
  void *spare = kept;
  kept = object;
  plait_spin_unlock(&lock);
  plait_preempt_enable();
  if (spare) plait_page_free(spare, 1);
  return 0;
}

static void check(void) {
  if (kept) plait_report_free(kept, PLAIT_NO_CPU);
}

PLAIT_TARGET(.alloc = take_page, .free = keep_page, .check = check, .size_max = 256,
             .contexts = PLAIT_IN_TASK);
