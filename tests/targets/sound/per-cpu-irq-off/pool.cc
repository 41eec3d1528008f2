// SPDX-License-Identifier: Apache-2.0
//
// A free list for each CPU, used with interrupts off: that keeps handlers, preemption and migration away at once, and
// other CPUs never come. An object goes to the CPU that frees it.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 64;

struct Object {
  Object* next;
};
struct List {
  Object* head;
};
PLAIT_PER_CPU(List, lists);

void push(List* list, void* object) {
  auto* first = static_cast<Object*>(object);
  first->next = list->head;
  list->head = first;
}

bool refill(List* list) {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) push(list, page + at);
  return page != nullptr;
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_irq_save();
  List* const mine = PLAIT_THIS_CPU(lists);
  Object* object = nullptr;
  if (mine->head || refill(mine)) {
    object = mine->head;
    mine->head = object->next;
  }
  plait_irq_restore(flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_irq_save();
  push(PLAIT_THIS_CPU(lists), object);
  plait_irq_restore(flags);
  return 0;
}

void check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (const Object* object = PLAIT_CPU(lists, cpu)->head; object; object = object->next) {
      plait_report_free(object, cpu);
    }
  }
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
