// SPDX-License-Identifier: Apache-2.0
//
// A type that does not exist, on the marked line.
#include "plait/target.h"

static void *take_page(size_t size) {
  pagesize_t count = 1;  // wrong here
  (void)size;
  return plait_page_alloc(count, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256);
