// SPDX-License-Identifier: Apache-2.0
//
// A free list behind one global spin lock with interrupts off. What the interrupt flag was is kept in a variable of the
// CPU; the lock is let go of while a page is asked for (README.md).
#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
PLAIT_PER_CPU(plait_irq_flags_t, saved_flags);
Object* chain;

// In a handler interrupts are off anyway, and it keeps its hands off the interrupted task's flag.
void lock_pool() {
  const plait_irq_flags_t flags = plait_irq_save();
  plait_spin_lock(&pool_lock);
  if (!plait_in_handler()) *PLAIT_THIS_CPU(saved_flags) = flags;
}

void unlock_pool() {
  const plait_irq_flags_t flags = plait_in_handler() ? 0 : *PLAIT_THIS_CPU(saved_flags);
  plait_spin_unlock(&pool_lock);
  plait_irq_restore(flags);
}

// Asking for a page takes long: nobody shall wait for it, neither a CPU nor an interrupt.
void refill() {
#ifdef PLAIT_TWIN
  unlock_pool();
  void* const page = plait_page_alloc(1, 0);
  lock_pool();
#else
  plait_spin_unlock(&pool_lock);
  if (!plait_in_handler()) plait_irq_on();
  void* const page = plait_page_alloc(1, 0);
  plait_irq_off();
  plait_spin_lock(&pool_lock);
#endif
  for (Object* fresh = cut_page(page); Object* object = pop_object(&fresh);) push_object(&chain, object);
}

void* pool_alloc(size_t) {
  lock_pool();
  if (chain == nullptr) refill();
  Object* const object = pop_object(&chain);
  unlock_pool();
  return object;
}

int pool_free(void* object) {
  lock_pool();
  push_object(&chain, static_cast<Object*>(object));
  unlock_pool();
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
