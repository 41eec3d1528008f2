// SPDX-License-Identifier: Apache-2.0
//
// In C. A free list under a mutex and a count under another, always taken in this order; pages are asked for in a way
// that may sleep. Right as long as nobody calls who must not sleep.
#include "plait/target.h"

#define OBJECT_SIZE 128

struct object {
  struct object *next;
};
static plait_mutex_t list_mutex, count_mutex;
static struct object *head;
static uint64_t allocations;

static void push(void *memory) {
  struct object *object = memory;
  object->next = head;
  head = object;
}

static void refill(void) {
  char *page = plait_page_alloc(1, PLAIT_MAY_SLEEP);
  for (size_t at = 0; page && at < plait_page_size(); at += OBJECT_SIZE) push(page + at);
}

static void *pool_alloc(size_t size) {
  (void)size;
  plait_mutex_lock(&list_mutex);
  if (!head) refill();
  struct object *object = head;
  if (object) {
    head = object->next;
    plait_mutex_lock(&count_mutex);
    ++allocations;
    plait_mutex_unlock(&count_mutex);
  }
  plait_mutex_unlock(&list_mutex);
  return object;
}

static int pool_free(void *object) {
  plait_mutex_lock(&list_mutex);
  push(object);
  plait_mutex_lock(&count_mutex);
  --allocations;
  plait_mutex_unlock(&count_mutex);
  plait_mutex_unlock(&list_mutex);
  return 0;
}

static void check(void) {
  for (struct object *object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = check, .size_max = OBJECT_SIZE);
