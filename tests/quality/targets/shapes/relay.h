// SPDX-License-Identifier: Apache-2.0
//
// Depth 4: each looks once, after the one before it; the first looks again last.
constexpr uint32_t kWorkers = 4;
Word token, steps;

void busy() {
  for (uint32_t i = 0; i < 4; ++i) steps = i;
}

void work(uint32_t who) {
  busy();
  if (who == 0) {
    token = 1;
    busy();
#ifdef FIXED
    PLAIT_ASSERT(token >= 1);
#else
    PLAIT_ASSERT(token != kWorkers);
#endif
  } else if (token == who) {
    token = who + 1;
  }
}
