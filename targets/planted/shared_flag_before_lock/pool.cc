// SPDX-License-Identifier: Apache-2.0
//
// A free list behind one global spin lock, taken with interrupts off. What the interrupt flag was is kept beside the
// lock, in a variable that belongs to whoever holds it (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
plait_irq_flags_t saved_flags;  // of the holder of pool_lock
Object* chain;

struct Guard {
  Guard() {
#ifdef PLAIT_TWIN
    const plait_irq_flags_t flags = plait_irq_save();
    plait_spin_lock(&pool_lock);
    saved_flags = flags;
#else
    saved_flags = plait_irq_save();
    plait_spin_lock(&pool_lock);
#endif
  }
  ~Guard() {
    const plait_irq_flags_t flags = saved_flags;
    plait_spin_unlock(&pool_lock);
    plait_irq_restore(flags);
  }
  Guard(const Guard&) = delete;
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
