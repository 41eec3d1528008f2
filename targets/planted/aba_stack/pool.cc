// SPDX-License-Identifier: Apache-2.0
//
// A lock-free free list: compare-and-swap on the head, legal in any context (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

// The head in the low 48 bits; above it, in the twin, a number that each change makes new.
std::atomic<uint64_t> top;

constexpr uint32_t kTagShift = 48;
constexpr uint64_t kPointer = (uint64_t{1} << kTagShift) - 1;

Object* head_of(uint64_t word) { return reinterpret_cast<Object*>(word & kPointer); }

uint64_t with_head(uint64_t word, Object* head) {
#ifdef PLAIT_TWIN
  const uint64_t tag = (word >> kTagShift) + 1;
#else
  const uint64_t tag = word >> kTagShift;
#endif
  return reinterpret_cast<uint64_t>(head) | tag << kTagShift;
}

// An object that somebody else has by now may be read here; then the compare-and-swap should fail.
Object* next_of(Object* object) { return *const_cast<Object* volatile*>(&object->next); }
void set_next(Object* object, Object* next) { *const_cast<Object* volatile*>(&object->next) = next; }

void push(Object* object) {
  uint64_t seen = top.load(std::memory_order_relaxed);
  do {
    set_next(object, head_of(seen));
  } while (!top.compare_exchange_weak(seen, with_head(seen, object), std::memory_order_release, std::memory_order_relaxed));
}

Object* pop() {
  uint64_t seen = top.load(std::memory_order_acquire);
  while (Object* const object = head_of(seen)) {
    if (top.compare_exchange_weak(seen, with_head(seen, next_of(object)), std::memory_order_acquire)) return object;
  }
  return nullptr;
}

void* pool_alloc(size_t) {
  if (Object* const object = pop()) return object;
  Object* chain = cut_page(plait_page_alloc(1, 0));
  Object* const first = pop_object(&chain);
  while (Object* const object = pop_object(&chain)) push(object);
  return first;
}

int pool_free(void* object) {
  push(static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_chain(head_of(top.load())); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
