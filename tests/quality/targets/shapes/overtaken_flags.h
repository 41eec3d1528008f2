// SPDX-License-Identifier: Apache-2.0
//
// Depth 3: both look before either raises its flag, and one is in the middle while the other comes in.
constexpr uint32_t kWorkers = 2;
std::atomic<uint64_t> flags[kWorkers];
Word inside;

void work(uint32_t who) {
#ifdef FIXED
  flags[who] = 1;
  if (flags[1 - who] != 0) return;
#else
  if (flags[1 - who] != 0) return;
  flags[who] = 1;
#endif
  PLAIT_ASSERT(inside == 0);
  inside = 1;
  inside = 0;
  flags[who] = 0;
}
