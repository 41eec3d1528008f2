// SPDX-License-Identifier: Apache-2.0
//
// A page belongs to a CPU, and so do its objects: each CPU has a free list, touched with interrupts off. What is freed
// elsewhere is pushed onto a stack of the owner, whose worker puts it back (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

struct Page { uint32_t cpu; };
struct Cpu {
  Object* free;
  alignas(PLAIT_CACHE_LINE) std::atomic<Object*> remote;
  plait_wait_queue_t work;
};
PLAIT_PER_CPU(Cpu, cpus);

uint32_t owner_of(const void* object) {
  return reinterpret_cast<const Page*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1))->cpu;
}

void add_page(Cpu* cpu) {
  auto* const page = static_cast<Page*>(plait_page_alloc(1, 0));
  if (page == nullptr) return;
  page->cpu = plait_cpu_id();
  for (size_t at = kObjectBytes; at + kObjectBytes <= plait_page_size(); at += kObjectBytes) {
    push_object(&cpu->free, reinterpret_cast<Object*>(reinterpret_cast<char*>(page) + at));
  }
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_irq_save();
  Cpu* const cpu = PLAIT_THIS_CPU(cpus);
  if (cpu->free == nullptr) add_page(cpu);
  Object* const object = pop_object(&cpu->free);
  plait_irq_restore(flags);
  return object;
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  const uint32_t owner = owner_of(object);
  const plait_irq_flags_t flags = plait_irq_save();
  const bool local = owner == plait_cpu_id();
  if (local) push_object(&PLAIT_CPU(cpus, owner)->free, object);
  plait_irq_restore(flags);
  if (local) return 0;
  Cpu* const cpu = PLAIT_CPU(cpus, owner);
  Object* seen = cpu->remote.load(std::memory_order_relaxed);
  do {
    object->next = seen;
  } while (!cpu->remote.compare_exchange_weak(seen, object, std::memory_order_release, std::memory_order_relaxed));
#ifdef PLAIT_TWIN
  plait_wake_one(&cpu->work);
#else
  plait_wake_one(&PLAIT_CPU(cpus, (owner + plait_cpu_count() - 1) % plait_cpu_count())->work);
#endif
  return 0;
}

void worker(void* argument) {
  const auto me = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(argument));
#ifdef PLAIT_TWIN
  Cpu* const from = PLAIT_CPU(cpus, me);
#else
  Cpu* const from = PLAIT_CPU(cpus, (me + 1) % plait_cpu_count());
#endif
  Cpu* const mine = PLAIT_CPU(cpus, me);
  for (;;) {
    plait_wait_prepare(&mine->work);
    if (from->remote.load(std::memory_order_relaxed) == nullptr) plait_wait_commit(&mine->work);
    else plait_wait_cancel(&mine->work);
    Object* chain = from->remote.exchange(nullptr, std::memory_order_acquire);
    while (Object* const object = pop_object(&chain)) {
      const plait_irq_flags_t flags = plait_irq_save();
      push_object(&mine->free, object);
      plait_irq_restore(flags);
    }
  }
}

void init() {
  for (uintptr_t cpu = 0; plait_cpu_count() > 1 && cpu < plait_cpu_count(); ++cpu) {
    plait_worker_start(static_cast<uint32_t>(cpu), worker, reinterpret_cast<void*>(cpu));
  }
}

void pool_check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (const Object* object = PLAIT_CPU(cpus, cpu)->free; object != nullptr; object = object->next) {
      plait_report_free_of(object, cpu, owner_of(object));
    }
    PLAIT_INVARIANT(PLAIT_CPU(cpus, cpu)->remote.load() == nullptr);
  }
}

}  // namespace

PLAIT_TARGET(.init = init, .alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
