// SPDX-License-Identifier: Apache-2.0
//
// ../../sound/bitmap without the test that the object is taken.
#include "plait/target.h"

#define OBJECTS 4 /* on a page, counted from its end; the rest of the page is the header's */
#define OBJECT_SIZE (plait_page_size() / 8)

struct page {
  struct page *next;
  uint32_t taken; /* a bit an object */
};
static plait_spinlock_t lock;
static struct page *pages;

static char *object_at(struct page *page, uint32_t index) {
  return (char *)page + plait_page_size() - (index + 1) * OBJECT_SIZE;
}

static void *take_from(struct page *page) {
  for (uint32_t i = 0; i < OBJECTS; ++i) {
    if (page->taken & 1u << i) continue;
    page->taken |= 1u << i;
    return object_at(page, i);
  }
  return NULL;
}

static void *take(void) {
  for (struct page *page = pages; page; page = page->next) {
    void *object = take_from(page);
    if (object) return object;
  }
  struct page *fresh = plait_page_alloc(1, 0);
  if (!fresh) return NULL;
  fresh->next = pages;
  fresh->taken = 0;
  pages = fresh;
  return take_from(fresh);
}

/* 0, or 1 when the pointer is refused. Looks only into pages that are in the list. */
static int put_back(void *object) {
  for (struct page **link = &pages; *link; link = &(*link)->next) {
    struct page *page = *link;
    for (uint32_t i = 0; i < OBJECTS; ++i) {
      if (object_at(page, i) != object) continue;
      page->taken &= ~(1u << i);
      if (page->taken == 0) {
        *link = page->next;
        plait_page_free(page, 1);
      }
      return 0;
    }
  }
  return 1;
}

static void *bitmap_alloc(size_t size) {
  (void)size;
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  void *object = take();
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

static int bitmap_free(void *object) {
  plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  int refused = put_back(object);
  plait_spin_unlock_irqrestore(&lock, flags);
  return refused;
}

static void check(void) {
  for (struct page *page = pages; page; page = page->next) {
    PLAIT_INVARIANT(page->taken != 0 && page->taken < 1u << OBJECTS);
    for (uint32_t i = 0; i < OBJECTS; ++i) {
      if (!(page->taken & 1u << i)) plait_report_free(object_at(page, i), PLAIT_NO_CPU);
    }
  }
}

PLAIT_TARGET(.alloc = bitmap_alloc, .free = bitmap_free, .check = check, .size_max = 64,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
             .refuses = PLAIT_REFUSES_DOUBLE_FREE);
