// SPDX-License-Identifier: Apache-2.0
//
// Depth 2: both read the index before either moves it.
constexpr uint32_t kWorkers = 2;
constexpr uint32_t kItems = 3;
Word slots[kWorkers * kItems];
std::atomic<uint64_t> head, finished;

void work(uint32_t who) {
  for (uint32_t i = 0; i < kItems; ++i) {
#ifdef FIXED
    const uint64_t at = head++;
    slots[at] = who + 1;
#else
    const uint64_t at = head;
    slots[at] = who + 1;
    head = at + 1;
#endif
  }
  if (++finished == kWorkers) PLAIT_ASSERT(head == kWorkers * kItems);
}
