// SPDX-License-Identifier: Apache-2.0
//
// Fetches a page before it takes the lock, because that might take long. When somebody else has filled the list
// meanwhile, the page is used by nobody.
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

bool looks_empty() {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  const bool empty = head == nullptr;
  plait_spin_unlock_irqrestore(&lock, flags);
  return empty;
}

void* alloc_object(size_t) {
  std::byte* page = looks_empty() ? static_cast<std::byte*>(plait_page_alloc(1, 0)) : nullptr;
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  if (!head && !page) page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  if (!head && page) {
    for (size_t at = 0; at < plait_page_size(); at += kObjectSize) push(page + at);
  }
  Object* const object = head;
  if (object) head = object->next;
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
