// SPDX-License-Identifier: Apache-2.0
//
// A free list that is "busy" while somebody works on it. Interrupts are off meanwhile, so that on one CPU nobody ever
// has to wait; another CPU spins until the list is no longer busy (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

std::atomic<uint32_t> busy;
Object* chain;

plait_irq_flags_t enter() {
  const plait_irq_flags_t flags = plait_irq_save();
#ifdef PLAIT_TWIN
  while (busy.exchange(1, std::memory_order_acquire) != 0) plait_relax();
#else
  while (busy.load(std::memory_order_acquire) != 0) plait_relax();
  busy.store(1, std::memory_order_relaxed);
#endif
  return flags;
}

void leave(plait_irq_flags_t flags) {
  busy.store(0, std::memory_order_release);
  plait_irq_restore(flags);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = enter();
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(&chain);
  leave(flags);
  return object;
}

int pool_free(void* object) {
  const plait_irq_flags_t flags = enter();
  push_object(&chain, static_cast<Object*>(object));
  leave(flags);
  return 0;
}

void pool_check() {
  PLAIT_INVARIANT(busy.load(std::memory_order_relaxed) == 0);
  report_chain(chain);
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
