// SPDX-License-Identifier: Apache-2.0
//
// A free list under a spin lock. Frees only queue the object and see to it that the worker runs, which does the work;
// a flag saves waking it more than once. When all is quiet nothing waits any more: declared bound 0 (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
Object* chain;

std::atomic<Object*> queue;
std::atomic<uint32_t> pending;  // the worker has been told
plait_wait_queue_t work;

void drain() {
  Object* taken = queue.exchange(nullptr, std::memory_order_acq_rel);
  while (Object* const object = pop_object(&taken)) {
    const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
    push_object(&chain, object);
    plait_spin_unlock_irqrestore(&pool_lock, flags);
  }
}

void worker(void*) {
  for (;;) {
    plait_wait_prepare(&work);
    if (pending.load() == 0) {
      plait_wait_commit(&work);
    } else {
      plait_wait_cancel(&work);
    }
#ifdef PLAIT_TWIN
    pending.store(0);
    drain();
#else
    drain();
    pending.store(0);
#endif
  }
}

void pool_init() { plait_worker_start(0, worker, nullptr); }

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(&chain);
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  Object* head = queue.load(std::memory_order_relaxed);
  do {
    object->next = head;
  } while (!queue.compare_exchange_weak(head, object, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (pending.exchange(1) == 0) plait_wake_one(&work);
  return 0;
}

void pool_check() {
  report_chain(chain);
  for (const Object* o = queue.load(std::memory_order_relaxed); o != nullptr; o = o->next) plait_report_deferred(o);
}

}  // namespace

PLAIT_TARGET(.init = pool_init, .alloc = pool_alloc, .free = pool_free, .check = pool_check,
             .size_max = kObjectBytes, .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .deferred_bound_plus_1 = 1,
             .page_size_small = kPageBytes);
