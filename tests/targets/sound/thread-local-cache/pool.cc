// SPDX-License-Identifier: Apache-2.0
//
// Each task keeps the object that it freed last in a thread-local variable, in front of a free list under a lock. What
// lies there when a task ends is not looked for: there is no check function.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;

struct Object {
  Object* next;
};

plait_spinlock_t lock;
Object* head;
thread_local void* cached;

void push(void* object) {
  auto* first = static_cast<Object*>(object);
  first->next = head;
  head = first;
}

void* pop_or_refill() {
  plait_preempt_disable();
  plait_spin_lock(&lock);
  if (!head) {
    auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
    for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) push(page + at);
  }
  Object* const object = head;
  if (object) head = object->next;
  plait_spin_unlock(&lock);
  plait_preempt_enable();
  return object;
}

void* alloc_object(size_t) {
  void* const object = cached;
  if (!object) return pop_or_refill();
  cached = nullptr;
  return object;
}

int free_object(void* object) {
  void* const before = cached;
  cached = object;
  if (before) {
    plait_preempt_disable();
    plait_spin_lock(&lock);
    push(before);
    plait_spin_unlock(&lock);
    plait_preempt_enable();
  }
  return 0;
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .size_max = kObjectSize);
