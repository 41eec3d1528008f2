// SPDX-License-Identifier: Apache-2.0
//
// Fresh pages are cut up by a worker: an allocation that finds nothing gets a page, hands it over, and sleeps until
// objects have come (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

plait_mutex_t lock;
Object* chain;             // under the lock
std::atomic<void*> raw;    // a page that waits to be cut up
plait_wait_queue_t work;   // the worker
plait_wait_queue_t ready;  // allocations

Object* take() {
  plait_mutex_lock(&lock);
  Object* const object = pop_object(&chain);
  plait_mutex_unlock(&lock);
  return object;
}

bool nothing_there() {
  plait_mutex_lock(&lock);
  const bool empty = chain == nullptr;
  plait_mutex_unlock(&lock);
  return empty;
}

void wait_for_objects() {
#ifdef PLAIT_TWIN
  plait_wait_prepare(&ready);
  if (nothing_there() && raw.load(std::memory_order_acquire) != nullptr) plait_wait_commit(&ready);
  else plait_wait_cancel(&ready);
#else
  if (nothing_there() && raw.load(std::memory_order_acquire) != nullptr) plait_wait(&ready);
#endif
}

void* pool_alloc(size_t) {
  for (;;) {
    if (Object* const object = take()) return object;
    if (raw.load(std::memory_order_acquire) == nullptr) {
      void* const page = plait_page_alloc(1, PLAIT_MAY_SLEEP);
      if (page == nullptr) return nullptr;
      void* nobodys = nullptr;
      if (!raw.compare_exchange_strong(nobodys, page, std::memory_order_release)) plait_page_free(page, 1);
      plait_wake_one(&work);
    }
    wait_for_objects();
  }
}

int pool_free(void* object) {
  plait_mutex_lock(&lock);
  push_object(&chain, static_cast<Object*>(object));
  plait_mutex_unlock(&lock);
  plait_wake_all(&ready);
  return 0;
}

void worker(void*) {
  for (;;) {
    plait_wait_prepare(&work);
    void* const page = raw.load(std::memory_order_acquire);
    if (page == nullptr) {
      plait_wait_commit(&work);
      continue;
    }
    plait_wait_cancel(&work);
    Object* fresh = cut_page(page);
    plait_mutex_lock(&lock);
    while (Object* const object = pop_object(&fresh)) push_object(&chain, object);
    plait_mutex_unlock(&lock);
    raw.store(nullptr, std::memory_order_release);
    plait_wake_all(&ready);
  }
}

void init() { plait_worker_start(0, worker, nullptr); }

void pool_check() {
  PLAIT_INVARIANT(raw.load() == nullptr);
  report_chain(chain);
}

}  // namespace

PLAIT_TARGET(.init = init, .alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .page_size_small = kPageBytes);
