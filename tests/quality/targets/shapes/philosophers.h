// SPDX-License-Identifier: Apache-2.0
//
// Depth 3: each has its first lock before its neighbour takes it as the second one.
constexpr uint32_t kWorkers = 3;
plait_spinlock_t forks[kWorkers];
uint32_t meals[kWorkers];

void work(uint32_t who) {
  uint32_t left = who;
  uint32_t right = (who + 1) % kWorkers;
#ifdef FIXED
  if (left > right) left = right, right = who;
#endif
  plait_spin_lock(&forks[left]);
  plait_spin_lock(&forks[right]);
  ++meals[who];
  plait_spin_unlock(&forks[right]);
  plait_spin_unlock(&forks[left]);
}
