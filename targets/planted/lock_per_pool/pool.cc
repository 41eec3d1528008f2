// SPDX-License-Identifier: Apache-2.0
//
// Two pools, for objects of 64 and of 128 bytes, that share a stock of spare pages. Each pool has a lock of its own,
// and the stock is touched under the lock of the pool that needs a page (README.md).
#include "../common/object_chain.h"

namespace {

struct Pool {
  plait_spinlock_t lock;
  Object* chain;
};
Pool pools[2];
Object* spare_pages;  // chained as objects are

struct PageInfo { Pool* pool; };  // at the end of each page: objects in front of it keep their alignment
PageInfo* info_of(void* object) {
  const uintptr_t page = reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1);
  return reinterpret_cast<PageInfo*>(page + plait_page_size() - sizeof(PageInfo));
}

plait_spinlock_t* lock_of(Pool* pool) {
#ifdef PLAIT_TWIN
  (void)pool;
  return &pools[0].lock;
#else
  return &pool->lock;
#endif
}

// Pages are taken two at a time, because the supply is slow: one to use, one for whoever needs the next.
void* new_page() {
  void* const spare = pop_object(&spare_pages);
  if (spare != nullptr) return spare;
  if (void* const second = plait_page_alloc(1, 0)) push_object(&spare_pages, static_cast<Object*>(second));
  return plait_page_alloc(1, 0);
}

void refill(Pool* pool) {
  void* const page = new_page();
  if (page == nullptr) return;
  info_of(page)->pool = pool;
  const size_t bytes = kObjectBytes << (pool - pools);
  for (size_t at = 0; at + bytes + sizeof(PageInfo) <= plait_page_size(); at += bytes) {
    push_object(&pool->chain, reinterpret_cast<Object*>(static_cast<char*>(page) + at));
  }
}

void* pool_alloc(size_t size) {
  Pool* const pool = &pools[size > kObjectBytes];
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(lock_of(pool));
  if (pool->chain == nullptr) refill(pool);
  Object* const object = pop_object(&pool->chain);
  plait_spin_unlock_irqrestore(lock_of(pool), flags);
  return object;
}

int pool_free(void* object) {
  Pool* const pool = info_of(object)->pool;
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(lock_of(pool));
  push_object(&pool->chain, static_cast<Object*>(object));
  plait_spin_unlock_irqrestore(lock_of(pool), flags);
  return 0;
}

void pool_check() {
  for (const Pool& pool : pools) report_chain(pool.chain);
  for (const Object* page = spare_pages; page != nullptr; page = page->next) plait_report_page(page);
}

constexpr size_t kSizes[] = {kObjectBytes, 2 * kObjectBytes, 0};

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = 2 * kObjectBytes,
             .size_classes = kSizes, .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
