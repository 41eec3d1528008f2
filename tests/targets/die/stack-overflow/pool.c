// SPDX-License-Identifier: Apache-2.0
//
// Calls itself a million times over.
#include "plait/target.h"

// On one line, so that it does not matter which of its instructions meets the end of the stack.
static uint32_t deep(uint32_t n) { volatile uint32_t f[64]; f[0] = n; return n ? deep(n - 1) + f[0] : 0; }  // dies here

static uint32_t sum;

static void *take_page(size_t size) {
  sum = deep(1000000 + (uint32_t)size);
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
