// SPDX-License-Identifier: Apache-2.0
//
// A free list behind one spin lock (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
Object* chain;

struct Guard {
#ifdef PLAIT_TWIN
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  ~Guard() { plait_spin_unlock_irqrestore(&pool_lock, flags); }
#else
  Guard() {
    plait_preempt_disable();
    plait_spin_lock(&pool_lock);
  }
  ~Guard() {
    plait_spin_unlock(&pool_lock);
    plait_preempt_enable();
  }
  Guard(const Guard&) = delete;
#endif
};

void* pool_alloc(size_t) {
  const Guard guard;
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  return pop_object(&chain);
}

int pool_free(void* object) {
  const Guard guard;
  push_object(&chain, static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
