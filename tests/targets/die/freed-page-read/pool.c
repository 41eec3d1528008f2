// SPDX-License-Identifier: Apache-2.0
//
// Reads a page that it has just given back.
#include "plait/target.h"

uint64_t last_word;  // not static: it must not be optimised away

static void *take_page(size_t size) {
  (void)size;
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  last_word = *(uint64_t *)object;  // dies here
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
