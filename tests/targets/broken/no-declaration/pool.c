// SPDX-License-Identifier: Apache-2.0
//
// No PLAIT_TARGET in any source. (Not static, or the compiler would warn that nobody uses these.)
#include "plait/target.h"

void *take_page(size_t size);
int give_back(void *object);

void *take_page(size_t size) {
  (void)size;
  return plait_page_alloc(1, 0);
}

int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}
