// SPDX-License-Identifier: Apache-2.0
//
// Looks for ever for a block that fits in a list that is a ring.
#include "plait/target.h"

struct block {
  size_t size;
  const struct block *next;
};
static struct block blocks[2] = {{0, &blocks[1]}, {0, &blocks[0]}};

static const struct block *first_fit(size_t size) {
  const struct block *block = blocks;
  while (block->size < size) block = block->next;  // dies here
  return block;
}

static void *take_page(size_t size) {
  if (first_fit(size)->next == NULL) return NULL;
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
