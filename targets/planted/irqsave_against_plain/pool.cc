// SPDX-License-Identifier: Apache-2.0
//
// A free list behind one spin lock, which handlers take as well (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
Object* chain;

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(&chain);
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

int pool_free(void* object) {
#ifdef PLAIT_TWIN
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  push_object(&chain, static_cast<Object*>(object));
  plait_spin_unlock_irqrestore(&pool_lock, flags);
#else
  plait_preempt_disable();
  plait_spin_lock(&pool_lock);
  push_object(&chain, static_cast<Object*>(object));
  plait_spin_unlock(&pool_lock);
  plait_preempt_enable();
#endif
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
