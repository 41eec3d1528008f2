/* SPDX-License-Identifier: Apache-2.0
 *
 * Each allocation counts itself in and, by recursion, looks at everybody who is in. Two who come in at once make the
 * walk endless. Where it ends then must not depend on how the engine runs it: with detail it uses more of the stack. */
#include "plait/target.h"

static uint64_t inside;
static uint64_t seen;

static uint64_t walk(uint64_t left) {
  volatile char frame[40];
  frame[left % 40] = 1;
  seen = seen + 1;
  if (left == 0) return (uint64_t)frame[0];
  return walk(inside == 1 ? left - 1 : left) + (uint64_t)frame[left % 40];
}

static void *get(size_t size) {
  (void)size;
  inside = inside + 1;
  const uint64_t depth = walk(3);
  inside = inside - 1;
  void *page = plait_page_alloc(1, 0);
  return depth == ~UINT64_C(0) ? NULL : page;
}

static int put(void *object) {
  plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = get, .free = put, .size_max = 64);
