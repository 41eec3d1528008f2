/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator beneath the planted drivers: a free list under one spin lock with interrupts off, sound on any number of
 * CPUs and in handlers, and short, so that what is found is the driver's.
 */
#include "plait/target.h"

#define OBJECT_BYTES 128
#define LISTED_MAX 256

struct object {
  struct object *next;
};

static plait_spinlock_t lock;
static struct object *first;
static void *pages[LISTED_MAX];
static uint32_t page_count;

static void *pool_alloc(size_t size) {
  (void)size;
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  if (!first && page_count < LISTED_MAX) {
    char *page = plait_page_alloc(1, 0);
    if (page) {
      pages[page_count++] = page;
      for (size_t at = 0; at + OBJECT_BYTES <= plait_page_size(); at += OBJECT_BYTES) {
        struct object *object = (struct object *)(page + at);
        object->next = first;
        first = object;
      }
    }
  }
  struct object *object = first;
  if (object) first = object->next;
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

static int pool_free(void *pointer) {
  struct object *object = pointer;
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  object->next = first;
  first = object;
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

static void pool_check(void) {
  for (struct object *object = first; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
  for (uint32_t i = 0; i < page_count; ++i) plait_report_page(pages[i]);
}

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = OBJECT_BYTES,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
