// SPDX-License-Identifier: Apache-2.0
//
// Writes through a pointer that was never set to anything sensible.
#include "plait/target.h"

static uint32_t *counters = (uint32_t *)0x5ca1ab1e0000;  // in no page that anybody has

static void *take_page(size_t size) {
  counters[size / 8] = 1;  // dies here
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
