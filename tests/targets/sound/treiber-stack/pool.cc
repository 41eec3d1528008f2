// SPDX-License-Identifier: Apache-2.0
//
// A lock-free stack (Treiber). The word at its top holds the address and a tag that changes with each push, so that a
// compare-and-swap does not succeed on an object that was taken and put back meanwhile (ABA). Pages never go back, so
// looking into an object that somebody else has taken by now is harmless.
#include <atomic>
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;
constexpr uint32_t kAddressBits = 48;
constexpr uint64_t kAddressMask = (uint64_t{1} << kAddressBits) - 1;

std::atomic<uint64_t> top;  // tag, then address

struct Object {
  uint64_t next;  // address
};

Object* object_of(uint64_t word) { return reinterpret_cast<Object*>(word & kAddressMask); }

void push(void* memory) {
  auto* object = static_cast<Object*>(memory);
  uint64_t old = top.load(std::memory_order_relaxed);
  uint64_t fresh = 0;
  do {
    std::atomic_ref(object->next).store(old & kAddressMask, std::memory_order_relaxed);
    fresh = ((old >> kAddressBits) + 1) << kAddressBits | reinterpret_cast<uint64_t>(object);
  } while (!top.compare_exchange_weak(old, fresh, std::memory_order_release, std::memory_order_relaxed));
}

void* pop() {
  uint64_t old = top.load(std::memory_order_acquire);
  while (Object* object = object_of(old)) {
    const uint64_t next = std::atomic_ref(object->next).load(std::memory_order_relaxed);
    const uint64_t fresh = (old & ~kAddressMask) | next;
    if (top.compare_exchange_weak(old, fresh, std::memory_order_acquire, std::memory_order_acquire)) return object;
  }
  return nullptr;
}

// Empty: the first object of a new page is the answer, the others are for everybody.
void* alloc_object(size_t) {
  if (void* object = pop()) return object;
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  for (size_t at = kObjectSize; page && at < plait_page_size(); at += kObjectSize) push(page + at);
  return page;
}

int free_object(void* object) {
  push(object);
  return 0;
}

void check() {
  for (const Object* object = object_of(top); object; object = object_of(object->next)) {
    plait_report_free(object, PLAIT_NO_CPU);
  }
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
