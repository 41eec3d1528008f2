// SPDX-License-Identifier: Apache-2.0
//
// A free list for each CPU, protected by switching preemption off (README.md).
#include "../common/object_chain.h"

namespace {

PLAIT_PER_CPU(Object*, lists);

// The list of this CPU. Preemption is off when this returns.
Object** enter() {
#ifdef PLAIT_TWIN
  plait_preempt_disable();
  return PLAIT_THIS_CPU(lists);
#else
  Object** const list = PLAIT_THIS_CPU(lists);
  plait_preempt_disable();
  return list;
#endif
}

void* pool_alloc(size_t) {
  Object** const list = enter();
  if (*list == nullptr) *list = cut_page(plait_page_alloc(1, 0));
  Object* const object = pop_object(list);
  plait_preempt_enable();
  return object;
}

int pool_free(void* object) {
  push_object(enter(), static_cast<Object*>(object));
  plait_preempt_enable();
  return 0;
}

void pool_check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) report_chain(*PLAIT_CPU(lists, cpu));
}

const plait_state_name state_names[] = {{"lists", lists, sizeof(lists[0]), PLAIT_CPUS_MAX}, {}};

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .page_size_small = kPageBytes, .state_names = state_names);
