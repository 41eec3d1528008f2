// SPDX-License-Identifier: Apache-2.0
//
// No lock that the kernel knows of, only two counters; the holder's accesses are ordered by the release of one turn and
// the acquire of the next.
#include <atomic>

#include "../common/objects.h"

namespace {

std::atomic<uint32_t> next_ticket, now_serving;
Object* list;

plait_irq_flags_t enter() {
  const plait_irq_flags_t flags = plait_irq_save();
  const uint32_t mine = next_ticket.fetch_add(1, std::memory_order_relaxed);
  while (now_serving.load(std::memory_order_acquire) != mine) plait_relax();
  return flags;
}

void leave(plait_irq_flags_t flags) {
  now_serving.store(now_serving.load(std::memory_order_relaxed) + 1, std::memory_order_release);
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
