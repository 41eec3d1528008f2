// SPDX-License-Identifier: Apache-2.0
//
// The sum reads what other CPUs are changing, on purpose and marked so: it is an estimate. A CPU changes its own counter
// with interrupts off, so none of its own counts is lost.
#include "plait/target.h"

namespace {

constexpr size_t kObjectBytes = 64;
struct Object { Object* next; };

Object* cut_page() {
  Object* chain = nullptr;
  auto* const page = static_cast<char*>(plait_page_alloc(1, 0));
  for (size_t at = 0; page != nullptr && at + kObjectBytes <= plait_page_size(); at += kObjectBytes) {
    auto* const object = reinterpret_cast<Object*>(page + at);
    object->next = chain;
    chain = object;
  }
  return chain;
}

plait_spinlock_t list_lock;
Object* list;

Object* take() {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  if (list == nullptr) list = cut_page();
  Object* const object = list;
  if (object != nullptr) list = object->next;
  plait_spin_unlock_irqrestore(&list_lock, flags);
  return object;
}

void give(Object* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  object->next = list;
  list = object;
  plait_spin_unlock_irqrestore(&list_lock, flags);
}

void report_list() {
  for (const Object* object = list; object != nullptr; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

struct Counter { volatile uint64_t allocations; };
PLAIT_PER_CPU(Counter, counters);
uint64_t most;  // under the list's lock

uint64_t estimate() {
  uint64_t sum = 0;
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) sum += PLAIT_CPU(counters, cpu)->allocations;
  return sum;
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_irq_save();
  Counter* const mine = PLAIT_THIS_CPU(counters);
  mine->allocations = mine->allocations + 1;
  plait_irq_restore(flags);
  return take();
}

int pool_free(void* object) {
  const uint64_t now = estimate();
  PLAIT_ASSERT(now >= 1);  // the object's own allocation has been counted
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  if (now > most) most = now;
  plait_spin_unlock_irqrestore(&list_lock, flags);
  give(static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_list(); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
