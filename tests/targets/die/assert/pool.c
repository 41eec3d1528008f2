// SPDX-License-Identifier: Apache-2.0
//
// Has an assert() that does not hold.
#include <assert.h>

#include "plait/target.h"

static void *take_page(size_t size) {
  assert(size > 256 && "no request is as large");  // dies here
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
