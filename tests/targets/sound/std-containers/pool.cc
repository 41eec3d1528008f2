// SPDX-License-Identifier: Apache-2.0
//
// Keeps its free objects in a std::list and counts in a std::map how many of each page are taken; a page without any
// goes back. Much of both is compiled into the C++ library, and is under test all the same. A lock with interrupts off
// is around it.
#include <cstddef>
#include <iterator>
#include <list>
#include <map>

#include "plait/target.h"

namespace {

constexpr uintptr_t kObjectsOnPage = 4;
constexpr size_t kObjectSizeMax = 64;

plait_spinlock_t lock;
std::list<uintptr_t> free_objects;
std::map<uintptr_t, size_t> taken;  // of each page

uintptr_t page_of(uintptr_t object) { return object & ~(uintptr_t{plait_page_size()} - 1); }

void refill() {
  const auto page = reinterpret_cast<uintptr_t>(plait_page_alloc(1, 0));
  if (page == 0) return;
  taken.emplace(page, 0);
  for (uintptr_t i = 0; i < kObjectsOnPage; ++i) free_objects.push_back(page + i * kObjectSizeMax);
}

// The objects of the page first move to a list of their own.
void give_back(uintptr_t page) {
  std::list<uintptr_t> gone;
  for (auto object = free_objects.begin(); object != free_objects.end();) {
    const auto next = std::next(object);
    if (page_of(*object) == page) gone.splice(gone.end(), free_objects, object);
    object = next;
  }
  taken.erase(page);
  plait_page_free(reinterpret_cast<void*>(page), 1);
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  if (free_objects.empty()) refill();
  uintptr_t object = 0;
  if (!free_objects.empty()) {
    object = free_objects.front();
    free_objects.pop_front();
    ++taken.at(page_of(object));
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return reinterpret_cast<void*>(object);
}

int free_object(void* pointer) {
  const auto object = reinterpret_cast<uintptr_t>(pointer);
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  free_objects.push_front(object);
  if (--taken.at(page_of(object)) == 0) give_back(page_of(object));
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void check() {
  size_t missing = 0;
  for (const auto& [page, count] : taken) {
    PLAIT_INVARIANT(count != 0 && count <= kObjectsOnPage);
    missing += kObjectsOnPage - count;
  }
  PLAIT_INVARIANT(missing == free_objects.size());
  for (const uintptr_t object : free_objects) plait_report_free(reinterpret_cast<void*>(object), PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSizeMax,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
