// SPDX-License-Identifier: Apache-2.0
//
// A free only queues its object; the queue is emptied by the next allocation, and if that never comes by nobody. Twin
// of ../../sound/bounded-deferral.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 64;
constexpr uint32_t kDeferredMax = 2;

struct Object {
  Object* next;
};

plait_spinlock_t lock;
Object* head;
Object* queue;  // freed, and not yet free
uint32_t queued;

void push(Object*& list, void* memory) {
  auto* object = static_cast<Object*>(memory);
  object->next = list;
  list = object;
}

Object* pop(Object*& list) {
  Object* const object = list;
  if (object) list = object->next;
  return object;
}

void drain() {
  while (Object* object = pop(queue)) push(head, object);
  queued = 0;
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  drain();
  if (!head) {
    auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
    for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) push(head, page + at);
  }
  Object* const object = pop(head);
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  push(queue, object);
  ++queued;
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void check() {
  for (const Object* object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
  for (const Object* object = queue; object; object = object->next) plait_report_deferred(object);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .deferred_bound_plus_1 = kDeferredMax + 1);
