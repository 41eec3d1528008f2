// SPDX-License-Identifier: Apache-2.0
//
// Depth 2: each reads before the other writes.
constexpr uint32_t kWorkers = 2;
Word balance, done;
std::atomic<uint64_t> finished;

void work(uint32_t) {
#ifdef FIXED
  static plait_spinlock_t lock;
  plait_spin_lock(&lock);
#endif
  const uint64_t seen = balance;
  balance = seen + 1;
#ifdef FIXED
  plait_spin_unlock(&lock);
#endif
  if (++finished == kWorkers) PLAIT_ASSERT(balance == kWorkers);
}
