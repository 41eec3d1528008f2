// SPDX-License-Identifier: Apache-2.0
//
// Depth 2: the reader looks after the first stage and again before the second.
constexpr uint32_t kWorkers = 4;  // three that write, one that reads
plait_spinlock_t first_lock, second_lock;
uint64_t first, second;

void write_both() {
  plait_spin_lock(&first_lock);
  ++first;
#ifndef FIXED
  plait_spin_unlock(&first_lock);
#endif
  plait_spin_lock(&second_lock);
  second = first;
  plait_spin_unlock(&second_lock);
#ifdef FIXED
  plait_spin_unlock(&first_lock);
#endif
}

void work(uint32_t who) {
  if (who != 0) return write_both();
  plait_spin_lock(&first_lock);
  const uint64_t seen = first;
#ifndef FIXED
  plait_spin_unlock(&first_lock);
#endif
  plait_spin_lock(&second_lock);
  PLAIT_ASSERT(second >= seen);
  plait_spin_unlock(&second_lock);
#ifdef FIXED
  plait_spin_unlock(&first_lock);
#endif
}
