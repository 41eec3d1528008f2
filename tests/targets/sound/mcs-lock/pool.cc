// SPDX-License-Identifier: Apache-2.0
//
// Waiters spin on a word of their own, which somebody else writes; the lock passes from one to the next by release and
// acquire. With interrupts off a CPU waits at most once, so one node a CPU is enough.
#include <atomic>

#include "../common/objects.h"

namespace {

struct Waiter {
  std::atomic<Waiter*> next;
  std::atomic<bool> waits;
};
PLAIT_PER_CPU(Waiter, waiters);
std::atomic<Waiter*> last;
Object* list;

plait_irq_flags_t enter() {
  const plait_irq_flags_t flags = plait_irq_save();
  Waiter* const me = PLAIT_THIS_CPU(waiters);
  me->next.store(nullptr, std::memory_order_relaxed);
  me->waits.store(true, std::memory_order_relaxed);
  if (Waiter* const before = last.exchange(me, std::memory_order_acq_rel)) {
    before->next.store(me, std::memory_order_release);
    while (me->waits.load(std::memory_order_acquire)) plait_relax();
  }
  return flags;
}

void leave(plait_irq_flags_t flags) {
  Waiter* const me = PLAIT_THIS_CPU(waiters);
  Waiter* next = me->next.load(std::memory_order_acquire);
  if (next == nullptr) {
    Waiter* expected = me;
    if (last.compare_exchange_strong(expected, nullptr, std::memory_order_release, std::memory_order_relaxed)) {
      return plait_irq_restore(flags);
    }
    while ((next = me->next.load(std::memory_order_acquire)) == nullptr) plait_relax();
  }
  next->waits.store(false, std::memory_order_release);
  plait_irq_restore(flags);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = enter();
  if (list == nullptr) list = cut_page();
  Object* const object = list;
  if (object != nullptr) list = object->next;
  leave(flags);
  return object;
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  const plait_irq_flags_t flags = enter();
  object->next = list;
  list = object;
  leave(flags);
  return 0;
}

void pool_check() {
  for (const Object* object = list; object != nullptr; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
