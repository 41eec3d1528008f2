// SPDX-License-Identifier: Apache-2.0
//
// Divides by a number that is zero (a signal on x86-64; on aarch64 the quotient is zero).
#include "plait/target.h"

// Not static, so that no compiler may know that nobody sets the one and reads the other.
uint32_t ways;
uint32_t way;

static void *take_page(size_t size) {
  way = (uint32_t)size % ways;  // dies here
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
