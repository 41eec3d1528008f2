// SPDX-License-Identifier: Apache-2.0
//
// A pool in front of a depot of pages, each with a spin lock taken with interrupts off. Where the pool is empty the
// depot's lock is taken inside the pool's (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
Object* chain;

plait_spinlock_t depot_lock;
Object* depot;  // pages, chained as objects are; filled two at a time

void* take_page() {
  if (depot == nullptr) {
    for (int i = 0; i < 2; ++i) {
      if (void* const page = plait_page_alloc(1, 0)) push_object(&depot, static_cast<Object*>(page));
    }
  }
  return pop_object(&depot);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  if (chain == nullptr) {
    const plait_irq_flags_t depot_flags = plait_spin_lock_irqsave(&depot_lock);
    void* const page = take_page();
#ifdef PLAIT_TWIN
    plait_spin_unlock_irqrestore(&depot_lock, depot_flags);
#else
    (void)depot_flags;
    plait_spin_unlock_irqrestore(&depot_lock, flags);
#endif
    chain = cut_page(page);
  }
  Object* const object = pop_object(&chain);
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

int pool_free(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  push_object(&chain, static_cast<Object*>(object));
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return 0;
}

void pool_check() {
  report_chain(chain);
  for (const Object* page = depot; page != nullptr; page = page->next) plait_report_page(page);
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
