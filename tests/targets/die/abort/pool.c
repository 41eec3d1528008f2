// SPDX-License-Identifier: Apache-2.0
//
// Calls abort().
#include <stdlib.h>

#include "plait/target.h"

static void *take_page(size_t size) {
  (void)size;
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  if (object != NULL) abort();  // dies here
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
