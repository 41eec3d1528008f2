// SPDX-License-Identifier: Apache-2.0
//
// What several of these targets need besides the structure that they are about: objects of one size, and a free list
// behind a spin lock with interrupts off.
#pragma once

#include "plait/target.h"

constexpr size_t kObjectBytes = 64;
struct Object { Object* next; };

inline Object* cut_page() {
  Object* chain = nullptr;
  auto* const page = static_cast<char*>(plait_page_alloc(1, 0));
  for (size_t at = 0; page != nullptr && at + kObjectBytes <= plait_page_size(); at += kObjectBytes) {
    auto* const object = reinterpret_cast<Object*>(page + at);
    object->next = chain;
    chain = object;
  }
  return chain;
}
