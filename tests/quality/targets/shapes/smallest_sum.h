// SPDX-License-Identifier: Apache-2.0
//
// Depth 4: the first reads before everything, writes between the other's last two additions, and the other's last read
// comes before the first one's rest, its write after.
constexpr uint32_t kWorkers = 2;
constexpr uint32_t kTimes = 3;
Word sum;
std::atomic<uint64_t> finished;

void work(uint32_t) {
  for (uint32_t i = 0; i < kTimes; ++i) {
    const uint64_t seen = sum;
    sum = seen + 1;
  }
#ifdef FIXED
  constexpr uint32_t kLeast = 2;
#else
  constexpr uint32_t kLeast = 3;
#endif
  if (++finished == kWorkers) PLAIT_ASSERT(sum >= kLeast);
}
