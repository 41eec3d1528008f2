// SPDX-License-Identifier: Apache-2.0
//
// A ring of free objects for each CPU, touched by its own CPU only, with interrupts off; behind the rings a depot under
// a spin lock (README.md).
#include "../common/object_chain.h"

namespace {

constexpr uint32_t kCapacity = 4;  // objects

struct Ring {
  uint32_t begin, end;  // taken out and put in so far
  Object* slots[kCapacity];
};
PLAIT_PER_CPU(Ring, rings);

plait_spinlock_t depot_lock;
Object* depot;

Object* pop_ring(Ring* ring) { return ring->begin == ring->end ? nullptr : ring->slots[ring->begin++ % kCapacity]; }

bool push_ring(Ring* ring, Object* object) {
  if (ring->end - ring->begin == kCapacity) return false;
  ring->slots[ring->end % kCapacity] = object;
  ring->end++;
  return true;
}

// The ring of this CPU. Interrupts are off when this returns.
Ring* enter(plait_irq_flags_t* flags) {
#ifdef PLAIT_TWIN
  *flags = plait_irq_save();
  const uint32_t cpu = plait_cpu_id();
#else
  const uint32_t cpu = plait_cpu_id();
  *flags = plait_irq_save();
#endif
  return PLAIT_CPU(rings, cpu);
}

void* pool_alloc(size_t) {
  plait_irq_flags_t flags;
  Object* object = pop_ring(enter(&flags));
  if (object == nullptr) {
    plait_spin_lock(&depot_lock);
    if (depot == nullptr) depot = cut_page(plait_page_alloc(1, 0));
    object = pop_object(&depot);
    plait_spin_unlock(&depot_lock);
  }
  plait_irq_restore(flags);
  return object;
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  plait_irq_flags_t flags;
  if (!push_ring(enter(&flags), object)) {
    plait_spin_lock(&depot_lock);
    push_object(&depot, object);
    plait_spin_unlock(&depot_lock);
  }
  plait_irq_restore(flags);
  return 0;
}

void pool_check() {
  report_chain(depot);
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    const Ring* const ring = PLAIT_CPU(rings, cpu);
    for (uint32_t at = ring->begin; at != ring->end; ++at) plait_report_free(ring->slots[at % kCapacity], PLAIT_NO_CPU);
  }
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
