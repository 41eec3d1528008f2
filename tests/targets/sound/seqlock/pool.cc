// SPDX-License-Identifier: Apache-2.0
//
// Two counters that have to agree are read while others write them. That tempts a checker; what was read is thrown away
// unless the sequence number says that nobody wrote meanwhile, and the accesses are atomic, as C11 asks of a seqlock.
#include <atomic>

#include "../common/list.h"

namespace {

plait_spinlock_t write_lock;
std::atomic<uint32_t> sequence;
std::atomic<uint64_t> live, live_again;

constexpr auto kRelaxed = std::memory_order_relaxed;

void count(int64_t amount) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&write_lock);
  sequence.store(sequence.load(kRelaxed) + 1, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);
  live.store(live.load(kRelaxed) + static_cast<uint64_t>(amount), kRelaxed);
  live_again.store(live_again.load(kRelaxed) + static_cast<uint64_t>(amount), kRelaxed);
  sequence.store(sequence.load(kRelaxed) + 1, std::memory_order_release);
  plait_spin_unlock_irqrestore(&write_lock, flags);
}

void look() {
  for (;;) {
    const uint32_t before = sequence.load(std::memory_order_acquire);
    const uint64_t one = live.load(kRelaxed);
    const uint64_t other = live_again.load(kRelaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && sequence.load(kRelaxed) == before) {
      PLAIT_ASSERT(one == other);
      return;
    }
    plait_relax();
  }
}

void* pool_alloc(size_t) {
  Object* const object = take();
  if (object != nullptr) count(1);
  look();
  return object;
}

int pool_free(void* object) {
  count(-1);
  give(static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_list(); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
