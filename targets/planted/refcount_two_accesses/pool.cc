// SPDX-License-Identifier: Apache-2.0
//
// Objects are cut off a current page one after another; a page counts its references, one for each object and one while
// it is the current page, and goes back with the last of them (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

struct Page {
  std::atomic<uint32_t> references;
  uint32_t used;  // bytes that were cut off
};
plait_spinlock_t lock;
Page* current;

void drop(Page* page) {
#ifdef PLAIT_TWIN
  const uint32_t before = page->references.fetch_sub(1, std::memory_order_acq_rel);
#else
  const uint32_t before = page->references.load(std::memory_order_acquire);
  page->references.store(before - 1, std::memory_order_release);
#endif
  if (before == 1) plait_page_free(page, 1);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&lock);
  Page* full = nullptr;
  if (current != nullptr && current->used + kObjectBytes > plait_page_size()) {
    full = current;
    current = nullptr;
  }
  if (current == nullptr) {
    current = static_cast<Page*>(plait_page_alloc(1, 0));
    if (current != nullptr) {
      current->references.store(1, std::memory_order_relaxed);
      current->used = kObjectBytes;
    }
  }
  void* object = nullptr;
  if (current != nullptr) {
    current->references.fetch_add(1, std::memory_order_relaxed);
    object = reinterpret_cast<char*>(current) + current->used;
    current->used += kObjectBytes;
  }
  plait_spin_unlock_irqrestore(&lock, flags);
  if (full != nullptr) drop(full);
  return object;
}

int pool_free(void* object) {
  drop(reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1)));
  return 0;
}

// No check: a freed object on a page with others out is nobody's until the page goes back.

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
