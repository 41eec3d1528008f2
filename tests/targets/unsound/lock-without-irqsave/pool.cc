// SPDX-License-Identifier: Apache-2.0
//
// The global lock of ../../sound/global-lock, taken with preemption off and interrupts on: a handler on the CPU that
// holds it spins for ever.
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
  plait_preempt_disable();
  plait_spin_lock(&lock);
  Object* object = nullptr;
  if (head || refill()) {
    object = head;
    head = object->next;
  }
  plait_spin_unlock(&lock);
  plait_preempt_enable();
  return object;
}

int free_object(void* object) {
  plait_preempt_disable();
  plait_spin_lock(&lock);
  push(object);
  plait_spin_unlock(&lock);
  plait_preempt_enable();
  return 0;
}

void check() {
  for (const Object* object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
