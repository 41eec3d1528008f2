// SPDX-License-Identifier: Apache-2.0
//
// The global lock of ../../sound/global-lock with a place for one object in front of the list. A free puts its object
// there, whatever was there before.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 64;

struct Object {
  Object* next;
};

plait_spinlock_t lock;
Object* head;
void* cached;

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
  void* object = cached;
  cached = nullptr;
  if (!object && (head || refill())) {
    object = head;
    head = head->next;
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  cached = object;  // and what was there?
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void check() {
  if (cached) plait_report_free(cached, PLAIT_NO_CPU);
  for (const Object* object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
