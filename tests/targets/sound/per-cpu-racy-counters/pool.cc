// SPDX-License-Identifier: Apache-2.0
//
// The sum reads what other CPUs are changing, on purpose and marked so: it is an estimate. A CPU changes its own counter
// with interrupts off, so none of its own counts is lost.
#include "../common/list.h"

namespace {

struct Counter { volatile uint64_t allocations; };
PLAIT_PER_CPU(Counter, counters);
uint64_t most;  // under the list's lock

uint64_t estimate() {
  uint64_t sum = 0;
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) sum += PLAIT_CPU(counters, cpu)->allocations;
  return sum;
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_irq_save();
  Counter* const mine = PLAIT_THIS_CPU(counters);
  mine->allocations = mine->allocations + 1;
  plait_irq_restore(flags);
  return take();
}

int pool_free(void* object) {
  const uint64_t now = estimate();
  PLAIT_ASSERT(now >= 1);  // the object's own allocation has been counted
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  if (now > most) most = now;
  plait_spin_unlock_irqrestore(&list_lock, flags);
  give(static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_list(); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
