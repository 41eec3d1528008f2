// SPDX-License-Identifier: Apache-2.0
//
// A free list under one spin lock. To keep that lock's cache line on CPU 0, other CPUs only queue what they free, and
// CPU 0 takes the queue over at its next operation. Declared bound: fewer than kBatch objects wait (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

constexpr int32_t kBatch = 4;

plait_spinlock_t pool_lock;
Object* chain;

std::atomic<Object*> queue;
std::atomic<int32_t> queued;  // may run behind `queue`, never ahead of it for good

// Takes the whole queue over. The lock is held.
void drain() {
  Object* taken = queue.exchange(nullptr, std::memory_order_acq_rel);
  int32_t count = 0;
  for (; Object* object = pop_object(&taken); ++count) push_object(&chain, object);
  queued.fetch_sub(count, std::memory_order_acq_rel);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  if (plait_cpu_id() == 0 || chain == nullptr) drain();
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(&chain);
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

void free_here(Object* object) {
  plait_spin_lock(&pool_lock);
  drain();
  push_object(&chain, object);
  plait_spin_unlock(&pool_lock);
}

void free_later(Object* object) {
  Object* head = queue.load(std::memory_order_relaxed);
  do {
    object->next = head;
  } while (!queue.compare_exchange_weak(head, object, std::memory_order_acq_rel, std::memory_order_relaxed));
  [[maybe_unused]] const int32_t before = queued.fetch_add(1, std::memory_order_acq_rel);
#ifdef PLAIT_TWIN
  if (before + 1 < kBatch) return;
  plait_spin_lock(&pool_lock);
  drain();
  plait_spin_unlock(&pool_lock);
#endif
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  const plait_irq_flags_t flags = plait_irq_save();
  if (plait_cpu_id() == 0) free_here(object); else free_later(object);
  plait_irq_restore(flags);
  return 0;
}

void pool_check() {
  report_chain(chain);
  for (const Object* o = queue.load(std::memory_order_relaxed); o != nullptr; o = o->next) plait_report_deferred(o);
}

}  // namespace

// The bound is one less than kBatch, and the field is the bound plus 1.
PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .deferred_bound_plus_1 = kBatch,
             .page_size_small = kPageBytes);
