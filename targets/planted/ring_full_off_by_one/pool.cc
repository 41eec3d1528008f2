// SPDX-License-Identifier: Apache-2.0
//
// A ring of free objects under a lock, and a chain for what it has no place for (README.md).
#include "../common/object_chain.h"

namespace {

constexpr uint32_t kCapacity = 2;  // objects

plait_spinlock_t lock;
Object* slots[kCapacity];
uint32_t begin, end;  // taken out and put in so far
Object* chain;

bool full() {
#ifdef PLAIT_TWIN
  return end - begin >= kCapacity;
#else
  return end - begin > kCapacity;
#endif
}

void put(Object* object) {
  if (full()) return push_object(&chain, object);
  slots[end % kCapacity] = object;
  ++end;
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  Object* object = begin != end ? slots[begin++ % kCapacity] : pop_object(&chain);
  if (object == nullptr) {
    chain = cut_page(plait_page_alloc(1, 0));
    object = pop_object(&chain);
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int pool_free(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  put(static_cast<Object*>(object));
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void pool_check() {
  for (uint32_t at = begin; at != end; ++at) plait_report_free(slots[at % kCapacity], PLAIT_NO_CPU);
  report_chain(chain);
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
