// SPDX-License-Identifier: Apache-2.0
//
// A free list shared by all CPUs. Each CPU has a lock of its own, "so that CPUs do not contend" (README.md).
#include "../common/object_chain.h"

namespace {

PLAIT_PER_CPU(plait_spinlock_t, locks);
Object* chain;

struct Guard {
  plait_irq_flags_t flags;
  plait_spinlock_t* lock;

  Guard() : flags(plait_irq_save()) {
#ifdef PLAIT_TWIN
    lock = PLAIT_CPU(locks, 0);
#else
    lock = PLAIT_THIS_CPU(locks);
#endif
    plait_spin_lock(lock);
  }
  ~Guard() { plait_spin_unlock_irqrestore(lock, flags); }
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
