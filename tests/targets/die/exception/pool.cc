// SPDX-License-Identifier: Apache-2.0
//
// Throws, and its caller is a scenario, which catches nothing.
#include "plait/target.h"

namespace {

struct OutOfBlocks {
  size_t size;
};

void* throw_always(size_t size) {
  if (size != 0) throw OutOfBlocks{size};  // dies here
  return plait_page_alloc(1, 0);
}

int give_back(void* object) {
  plait_page_free(object, 1);
  return 0;
}

}  // namespace

PLAIT_TARGET(.alloc = throw_always, .free = give_back, .size_max = 256,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
