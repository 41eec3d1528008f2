// SPDX-License-Identifier: Apache-2.0
//
// Takes the first of a free list that is empty.
#include "plait/target.h"

struct object {
  struct object *next;
};
static struct object *head;

static void *pop(size_t size) {
  (void)size;
  struct object *first = head;
  head = first->next;  // dies here
  return first;
}

static int push(void *object) {
  struct object *first = object;
  first->next = head;
  head = first;
  return 0;
}

PLAIT_TARGET(.alloc = pop, .free = push, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
