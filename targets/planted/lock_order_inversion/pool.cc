// SPDX-License-Identifier: Apache-2.0
//
// A free list and its statistics, each behind a spin lock of its own (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock, statistics_lock;
Object* chain;
uint64_t live, most;

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(&chain);
  if (object != nullptr) {
    plait_spin_lock(&statistics_lock);
    if (++live > most) most = live;
    plait_spin_unlock(&statistics_lock);
  }
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

int pool_free(void* object) {
#ifdef PLAIT_TWIN
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  plait_spin_lock(&statistics_lock);
#else
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&statistics_lock);
  plait_spin_lock(&pool_lock);
#endif
  --live;
  push_object(&chain, static_cast<Object*>(object));
  plait_spin_unlock(&pool_lock);
  plait_spin_unlock(&statistics_lock);
  plait_irq_restore(flags);
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
