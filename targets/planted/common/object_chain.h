// SPDX-License-Identifier: Apache-2.0
//
// What small allocators have in common, so that each planted source shows little but its locking: objects of one size,
// chained through their first word while they are free.
#pragma once

#include "plait/target.h"

struct Object { Object* next; };

constexpr size_t kObjectBytes = 64;
constexpr size_t kPageBytes = 256;  // in the small preset: four objects, so that a refill is never far

// All objects of a fresh page in a chain. `page` may be null: then so is the chain.
inline Object* cut_page(void* page, size_t object_bytes = kObjectBytes) {
  Object* chain = nullptr;
  if (page == nullptr) return chain;
  for (size_t at = plait_page_size(); at >= object_bytes; at -= object_bytes) {
    auto* const object = reinterpret_cast<Object*>(static_cast<char*>(page) + at - object_bytes);
    object->next = chain;
    chain = object;
  }
  return chain;
}

inline Object* pop_object(Object** chain) {
  Object* const object = *chain;
  if (object != nullptr) *chain = object->next;
  return object;
}

inline void push_object(Object** chain, Object* object) {
  object->next = *chain;
  *chain = object;
}

inline void report_chain(const Object* chain, uint32_t cpu = PLAIT_NO_CPU) {
  for (; chain != nullptr; chain = chain->next) plait_report_free(chain, cpu);
}
