// SPDX-License-Identifier: Apache-2.0
//
// A pool that is made when it is first used: looked at without the lock, made with it (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

plait_mutex_t lock;
std::atomic<bool> ready;
Object* chain;

bool make_ready() {
  if (ready.load(std::memory_order_acquire)) return true;
  plait_mutex_lock(&lock);
#ifdef PLAIT_TWIN
  const bool wanted = !ready.load(std::memory_order_relaxed);
#else
  const bool wanted = true;
#endif
  if (wanted) {
    chain = cut_page(plait_page_alloc(1, PLAIT_MAY_SLEEP));
    ready.store(chain != nullptr, std::memory_order_release);
  }
  const bool made = ready.load(std::memory_order_relaxed);
  plait_mutex_unlock(&lock);
  return made;
}

void* pool_alloc(size_t) {
  if (!make_ready()) return nullptr;
  plait_mutex_lock(&lock);
  if (chain == nullptr) chain = cut_page(plait_page_alloc(1, PLAIT_MAY_SLEEP));
  Object* const object = pop_object(&chain);
  plait_mutex_unlock(&lock);
  return object;
}

int pool_free(void* object) {
  plait_mutex_lock(&lock);
  push_object(&chain, static_cast<Object*>(object));
  plait_mutex_unlock(&lock);
  return 0;
}

void pool_check() { report_chain(chain); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .page_size_small = kPageBytes);
