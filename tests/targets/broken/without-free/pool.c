// SPDX-License-Identifier: Apache-2.0
//
// Declares no free.
#include "plait/target.h"

static void *take_page(size_t size) {
  (void)size;
  return plait_page_alloc(1, 0);
}

PLAIT_TARGET(.alloc = take_page, .size_max = 256);
