// SPDX-License-Identifier: Apache-2.0
//
// Keeps its free objects in a std::vector, whose memory comes from operator new and so from the private heap that a
// target has for itself: ordinary library code under test. A lock with interrupts off is around it.
#include <cstddef>
#include <vector>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;

plait_spinlock_t lock;
std::vector<void*> free_objects;

void refill() {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  for (size_t at = 0; page && at < plait_page_size(); at += kObjectSize) free_objects.push_back(page + at);
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  if (free_objects.empty()) refill();
  void* object = nullptr;
  if (!free_objects.empty()) {
    object = free_objects.back();
    free_objects.pop_back();
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  free_objects.push_back(object);
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

void check() {
  for (const void* object : free_objects) plait_report_free(object, PLAIT_NO_CPU);
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
