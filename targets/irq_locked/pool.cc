// SPDX-License-Identifier: Apache-2.0
//
// The first repair: where the pool of ../original switched preemption off, it now takes one global spin lock with
// interrupts off as well. One CPU is sound then. On several, a handler still has to wait: for a ring that is full and a
// slot that is taken, or for the mutex of a worker.
//
// Which places were converted is not known, so both readings are here. By default all of them are, and where an
// operation lets go in its middle it lets go of everything. With OUTER_ONLY the lock around an operation is converted,
// and the places in its middle are as they were: they switch preemption on and off, and keep the lock and the
// interrupts as they are.
#include "../common/ring.h"

namespace {

plait_spinlock_t pool_lock;
uint32_t pool_lock_flags;  // whether interrupts were on where the lock was taken; whoever has the lock owns it

void lock() {
  plait_preempt_disable();
  const plait_irq_flags_t flags = plait_irq_save();
  plait_spin_lock(&pool_lock);
  pool_lock_flags = flags;
}

void unlock() {
  const uint32_t flags = pool_lock_flags;
  plait_spin_unlock(&pool_lock);
  if (flags) plait_irq_on();
  plait_preempt_enable();
}

struct Lock {
  static void take() { lock(); }
  static void release() { unlock(); }
#ifdef OUTER_ONLY
  static void drop() { plait_preempt_enable(); }
  static void retake() { plait_preempt_disable(); }
#else
  static void drop() { unlock(); }
  static void retake() { lock(); }
#endif
};

void free_different_cpu(FreeObject* o, uint32_t owner) {
  if (my_ring(owner).push(o)) return;
  Lock::drop();
  Sync& to = sync[owner];
  plait_mutex_lock(&to.mutex);
  while (to.slot.load(std::memory_order_relaxed) != nullptr) plait_wait_mutex(&to.emptied, &to.mutex);
  Lock::retake();
  if (!my_ring(owner).push(o)) to.slot.store(o, std::memory_order_relaxed);
  if (my_ring(owner).size() * 2 > ring_capacity) plait_wake_one(&to.work);
  Lock::drop();
  plait_mutex_unlock(&to.mutex);
  Lock::retake();
}

void free_object(FreeObject* o) {
  Pool& pool = *to_header(o)->owner;
  Lock::take();
  PageHeader* const h = to_header(o);
  const uint32_t owner = h->cpu_id;
  if (owner == plait_cpu_id()) free_same_cpu<Lock>(pool, h, o); else free_different_cpu(o, owner);
  Lock::release();
}

void* locked_alloc(size_t size) {
  return size > largest_in_pool() ? large_alloc(size) : pool_alloc<Lock>(pool_for(size));
}

int locked_free(void* object) {
  if (is_large(object)) large_free(object); else free_object(static_cast<FreeObject*>(object));
  return 0;
}

void check() {
  check_pools([](auto visit) { each_handed_over(visit); });
}

#ifdef SLEEPING_SUPPLY
constexpr uint64_t kSupplyMaySleep = 1;
#else
constexpr uint64_t kSupplyMaySleep = 0;
#endif

const plait_knob knobs[] = {PAGES_KNOBS(kSupplyMaySleep), RING_KNOB, {}};
const plait_state_name state_names[] = {
    PAGES_STATE_NAMES, RING_STATE_NAMES, {"pool_lock", &pool_lock, 8, 1}, {"pool_lock_flags", &pool_lock_flags, 4, 1}, {}};

}  // namespace

PLAIT_TARGET(.init = start_workers<free_object>, .alloc = locked_alloc, .free = locked_free, .check = check,
             .size_min = 1, .size_max = 8192, .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
             .page_size_small = 512, .page_size_real = 4096,
             .knobs = knobs, .page_fields = page_fields, .state_names = state_names);
