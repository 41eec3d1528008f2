// SPDX-License-Identifier: Apache-2.0
//
// Depth 3: the slow pop has read what is below the top before the others take it, one of the three items is gone by
// then, and the top is back before the slow pop exchanges it.
constexpr uint32_t kWorkers = 2;
constexpr uint64_t kNone = 3;
std::atomic<uint64_t> top;  // upper half: counts exchanges, when FIXED
Word below[kNone] = {1, 2, kNone};
std::atomic<uint64_t> taken[kNone];

uint64_t next_of(uint64_t seen, uint64_t item) {
#ifdef FIXED
  return ((seen >> 16) + 1) << 16 | item;
#else
  return (void)seen, item;
#endif
}

uint64_t pop() {
  for (uint64_t seen = top;;) {
    const uint64_t item = seen & 0xffff;
    if (item == kNone) return kNone;
    if (!top.compare_exchange_strong(seen, next_of(seen, below[item]))) continue;
    PLAIT_ASSERT(taken[item]++ == 0);
    return item;
  }
}

void push(uint64_t item) {
  --taken[item];
  for (uint64_t seen = top;;) {
    below[item] = seen & 0xffff;
    if (top.compare_exchange_strong(seen, next_of(seen, item))) return;
  }
}

void work(uint32_t who) {
  const uint64_t one = pop();
  if (who == 0) return;
  pop();
  if (one != kNone) push(one);
  pop();
}
