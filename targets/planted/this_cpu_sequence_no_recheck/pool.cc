// SPDX-License-Identifier: Apache-2.0
//
// The fast path of a slab allocator in the manner of SLUB: the head of this CPU's list and a transaction number are read
// with preemption on; a short section that preemption does not cut compares them again and changes both (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

struct Cpu {
  std::atomic<Object*> head;
  std::atomic<uint64_t> transaction;  // a new number for each change
};
PLAIT_PER_CPU(Cpu, cpus);

constexpr auto kRelaxed = std::memory_order_relaxed;

Cpu* this_cpu() { return PLAIT_THIS_CPU(cpus); }

// An object that somebody else has by now may be read here; what is read is not used then.
Object* next_of(Object* object) { return *const_cast<Object* volatile*>(&object->next); }
void set_next(Object* object, Object* next) { *const_cast<Object* volatile*>(&object->next) = next; }

// What one instruction does in a kernel: whole as seen from this CPU.
bool commit(Cpu* cpu, uint64_t transaction, Object* old, Object* head) {
  plait_preempt_disable();
#ifdef PLAIT_TWIN
  bool same = this_cpu() == cpu;
#else
  bool same = true;
#endif
  same = same && cpu->transaction.load(kRelaxed) == transaction && cpu->head.load(kRelaxed) == old;
  if (same) {
    cpu->head.store(head, kRelaxed);
    cpu->transaction.store(transaction + 1, kRelaxed);
  }
  plait_preempt_enable();
  return same;
}

void push(Object* object) {
  for (;;) {
    Cpu* const cpu = this_cpu();
    const uint64_t transaction = cpu->transaction.load(kRelaxed);
    Object* const head = cpu->head.load(kRelaxed);
    set_next(object, head);
    if (commit(cpu, transaction, head, object)) return;
  }
}

void* pool_alloc(size_t) {
  for (;;) {
    Cpu* const cpu = this_cpu();
    const uint64_t transaction = cpu->transaction.load(kRelaxed);
    Object* const head = cpu->head.load(kRelaxed);
    if (head != nullptr) {
      if (commit(cpu, transaction, head, next_of(head))) return head;
      continue;
    }
    Object* chain = cut_page(plait_page_alloc(1, 0));
    Object* const first = pop_object(&chain);
    while (Object* const object = pop_object(&chain)) push(object);
    return first;
  }
}

int pool_free(void* object) {
  push(static_cast<Object*>(object));
  return 0;
}

void pool_check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) report_chain(PLAIT_CPU(cpus, cpu)->head.load());
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .page_size_small = kPageBytes);
