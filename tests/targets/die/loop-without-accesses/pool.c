// SPDX-License-Identifier: Apache-2.0
//
// Loops for ever and touches no memory, so only time can tell.
#include "plait/target.h"

static void *take_page(size_t size) {
  while (size != 0) __asm__ volatile("");  // dies here
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
