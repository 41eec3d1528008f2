// SPDX-License-Identifier: Apache-2.0
//
// One free list for everybody, under a spin lock taken with interrupts saved and off. Nothing can get between, so
// nothing can go wrong: the baseline of all the targets under ../unsound that have a lock.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 64;

struct Object {
  Object* next;
};

plait_spinlock_t lock;
Object* head;

void push(void* object) {
  auto* first = static_cast<Object*>(object);
  first->next = head;
  head = first;
}

bool refill() {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) push(page + at);
  return page != nullptr;
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  Object* object = nullptr;
  if (head || refill()) {
    object = head;
    head = object->next;
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  push(object);
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void check() {
  for (const Object* object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
