// SPDX-License-Identifier: Apache-2.0
//
// A free list under a spin lock with preemption off. Pages come from a supply that may sleep, so one is asked for
// before the lock is taken, if the list looks empty (README.md). Entered from tasks only.
#include <atomic>

#include "../common/object_chain.h"

namespace {

plait_spinlock_t pool_lock;
Object* chain;
std::atomic<uint32_t> free_count;  // length of chain; changes under the lock, read without it as a hint

void lock_pool() {
  plait_preempt_disable();
  plait_spin_lock(&pool_lock);
}

void unlock_pool() {
  plait_spin_unlock(&pool_lock);
  plait_preempt_enable();
}

void put(Object* object) {
  push_object(&chain, object);
  free_count.fetch_add(1, std::memory_order_relaxed);
}

void put_page(void* page) {
  for (Object* fresh = cut_page(page); Object* object = pop_object(&fresh);) put(object);
}

void* pool_alloc(size_t) {
  void* page = nullptr;
  const bool looks_empty = free_count.load(std::memory_order_relaxed) == 0;
  if (looks_empty) page = plait_page_alloc(1, PLAIT_MAY_SLEEP);
  lock_pool();
  if (!looks_empty && chain == nullptr) {  // rare: somebody took the last one in between
#ifdef PLAIT_TWIN
    page = plait_page_alloc(1, 0);
#else
    page = plait_page_alloc(1, PLAIT_MAY_SLEEP);
#endif
  }
  put_page(page);
  Object* const object = pop_object(&chain);
  if (object != nullptr) free_count.fetch_sub(1, std::memory_order_relaxed);
  unlock_pool();
  return object;
}

int pool_free(void* object) {
  lock_pool();
  put(static_cast<Object*>(object));
  unlock_pool();
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK, .page_size_small = kPageBytes);
