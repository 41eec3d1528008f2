// SPDX-License-Identifier: Apache-2.0
//
// A knob from 4 to 1.
#include "plait/target.h"

static uint64_t batch;
static const struct plait_knob knobs[] = {
    {"batch", &batch, 4, 1, 2, 64, "objects moved at a time"},  // wrong here
    {0},
};

static void *take_page(size_t size) {
  (void)size;
  return plait_page_alloc(1, 0);
}

static int give_back(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = take_page, .free = give_back, .size_max = 256, .knobs = knobs);
