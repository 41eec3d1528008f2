// SPDX-License-Identifier: Apache-2.0
//
// A free list for each CPU, all under one lock. A page belongs to the CPU that fetched it, and so do its objects: this
// is what check() holds it to. But free puts an object on the list of the CPU that it happens to run on.
#include <cstddef>

#include "plait/target.h"

namespace {

constexpr size_t kObjectSize = 128;

struct Object {
  Object* next;
};
struct Page {
  uint32_t cpu;
};

plait_spinlock_t lock;
Object* heads[PLAIT_CPUS_MAX];

void push(uint32_t cpu, void* object) {
  auto* first = static_cast<Object*>(object);
  first->next = heads[cpu];
  heads[cpu] = first;
}

bool refill(uint32_t cpu) {
  auto* page = static_cast<std::byte*>(plait_page_alloc(1, 0));
  if (!page) return false;
  reinterpret_cast<Page*>(page)->cpu = cpu;
  for (size_t at = kObjectSize; at < plait_page_size(); at += kObjectSize) push(cpu, page + at);
  return true;
}

void* alloc_object(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  const uint32_t cpu = plait_cpu_id();
  Object* object = nullptr;
  if (heads[cpu] || refill(cpu)) {
    object = heads[cpu];
    heads[cpu] = object->next;
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  return object;
}

int free_object(void* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  push(plait_cpu_id(), object);  // not the page's
  plait_spin_unlock_irqrestore(&lock, flags);
  return 0;
}

const Page* page_of(const Object* object) {
  return reinterpret_cast<const Page*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1));
}

void check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (const Object* object = heads[cpu]; object; object = object->next) {
      plait_report_free_of(object, cpu, page_of(object)->cpu);
    }
  }
}

}  // namespace

PLAIT_TARGET(.alloc = alloc_object, .free = free_object, .check = check, .size_max = kObjectSize,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
