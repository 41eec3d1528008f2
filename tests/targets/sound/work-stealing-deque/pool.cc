// SPDX-License-Identifier: Apache-2.0
//
// The owner takes from one end without a lock while others take from the other end: the Chase-Lev deque, in the C11 form
// of Lê, Pop, Cohen and Zappa Nardelli (PPoPP 2013). Entries are atomic; only the last one is fought for.
#include <atomic>

#include "../common/list.h"

namespace {

constexpr int64_t kCapacity = 8;
struct Deque {
  std::atomic<int64_t> top, bottom;
  std::atomic<Object*> entries[kCapacity];
};
PLAIT_PER_CPU(Deque, deques);

constexpr auto kRelaxed = std::memory_order_relaxed;

// The owner's, with interrupts off.
bool push(Deque* deque, Object* object) {
  const int64_t bottom = deque->bottom.load(kRelaxed);
  if (bottom - deque->top.load(std::memory_order_acquire) >= kCapacity) return false;
  deque->entries[bottom % kCapacity].store(object, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);
  deque->bottom.store(bottom + 1, kRelaxed);
  return true;
}

Object* pop(Deque* deque) {
  const int64_t bottom = deque->bottom.load(kRelaxed) - 1;
  deque->bottom.store(bottom, kRelaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  int64_t top = deque->top.load(kRelaxed);
  Object* object = nullptr;
  if (top <= bottom) {
    object = deque->entries[bottom % kCapacity].load(kRelaxed);
    if (top != bottom) return object;
    if (!deque->top.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, kRelaxed)) object = nullptr;
  }
  deque->bottom.store(bottom + 1, kRelaxed);
  return object;
}

Object* steal(Deque* deque) {
  int64_t top = deque->top.load(std::memory_order_acquire);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (top >= deque->bottom.load(std::memory_order_acquire)) return nullptr;
  Object* const object = deque->entries[top % kCapacity].load(kRelaxed);
  return deque->top.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, kRelaxed) ? object : nullptr;
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_irq_save();
  const uint32_t me = plait_cpu_id();
  Object* object = pop(PLAIT_CPU(deques, me));
  for (uint32_t cpu = 0; object == nullptr && cpu < plait_cpu_count(); ++cpu) {
    if (cpu != me) object = steal(PLAIT_CPU(deques, cpu));
  }
  plait_irq_restore(flags);
  return object != nullptr ? object : take();
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  const plait_irq_flags_t flags = plait_irq_save();
  const bool pushed = push(PLAIT_THIS_CPU(deques), object);
  plait_irq_restore(flags);
  if (!pushed) give(object);
  return 0;
}

void pool_check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    const Deque* const deque = PLAIT_CPU(deques, cpu);
    for (int64_t at = deque->top; at < deque->bottom; ++at) {
      plait_report_free(deque->entries[at % kCapacity].load(), PLAIT_NO_CPU);
    }
  }
  report_list();
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
