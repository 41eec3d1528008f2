// SPDX-License-Identifier: Apache-2.0
//
// A lock made of a flag and a wait queue. Who finds it taken queues up *before* it looks once more, so a wake-up in
// between is not lost. ../unsound/lost-wakeup forgets that.
#include <atomic>
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;

std::atomic<bool> busy;
plait_wait_queue_t queue;

void enter() {
  while (busy.exchange(true, std::memory_order_acquire)) {
    plait_wait_prepare(&queue);
    if (busy.load(std::memory_order_relaxed)) {
      plait_wait_commit(&queue);
    } else {
      plait_wait_cancel(&queue);
    }
  }
}

void leave() {
  busy.store(false, std::memory_order_release);
  plait_wake_all(&queue);
}

struct Object {
  Object* next;
};
Object* head;

void push(void* object) {
  auto* first = static_cast<Object*>(object);
  first->next = head;
  head = first;
}

void* alloc_object(size_t) {
  enter();
  if (!head) {
    auto* page = static_cast<std::byte*>(plait_page_alloc(1, PLAIT_MAY_SLEEP));
    for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) push(page + at);
  }
  Object* const object = head;
  if (object) head = object->next;
  leave();
  return object;
}

int free_object(void* object) {
  enter();
  push(object);
  leave();
  return 0;
}

void check() {
  for (const Object* object = head; object; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize);
