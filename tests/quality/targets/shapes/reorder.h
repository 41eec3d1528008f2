// SPDX-License-Identifier: Apache-2.0
//
// Depth SETTERS + 1: one has set the first word when the checker looks at it, and none has set the second when the
// checker looks at that.
constexpr uint32_t kWorkers = SETTERS + 1;
Word first, second;

void work(uint32_t who) {
  if (who != SETTERS) {
#ifdef FIXED
    second = 1;
    first = 1;
#else
    first = 1;
    second = 1;
#endif
    return;
  }
  const uint64_t one = first;
  const uint64_t other = second;
  PLAIT_ASSERT(one == 0 || other == 1);
}
