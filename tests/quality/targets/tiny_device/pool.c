/* SPDX-License-Identifier: Apache-2.0
 *
 * An allocation is a step or two, and never an object: a refusal, which is legal, as no page was asked for.
 */
#include "plait/kernel.h"
#include "plait/target.h"

static uint64_t x;

static void *tiny_alloc(size_t what) {
  switch (what) {
    case 1: __atomic_fetch_add(&x, 1, __ATOMIC_RELAXED); break;
    case 2: __atomic_store_n(&x, __atomic_load_n(&x, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED); break;
    default: break;
  }
  return NULL;
}

static int tiny_free(void *object) {
  (void)object;
  return 0;
}

PLAIT_TARGET(.alloc = tiny_alloc, .free = tiny_free, .size_max = 128, .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
