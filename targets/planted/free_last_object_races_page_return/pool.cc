// SPDX-License-Identifier: Apache-2.0
//
// Objects are cut from a current page, as a network stack cuts packet buffers. A page counts its live objects, and goes
// back to the supply with the last of them; until then its free objects are kept on it for reuse (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

struct PageHeader {
  std::atomic<uint32_t> live;  // objects handed out, and 1 while the page is the current one
  std::atomic<Object*> freed;  // what came back since the allocator last looked
  Object* chain;               // free objects; belongs to whoever holds the lock while the page is current
};

plait_spinlock_t pool_lock;
PageHeader* current;

PageHeader* header_of(void* object) {
  return reinterpret_cast<PageHeader*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1));
}

void unref(PageHeader* page) {
  if (page->live.fetch_sub(1, std::memory_order_acq_rel) == 1) plait_page_free(page, 1);
}

PageHeader* make_page() {
  auto* const page = static_cast<PageHeader*>(plait_page_alloc(1, 0));
  if (page == nullptr) return nullptr;
  page->live.store(1, std::memory_order_relaxed);
  page->freed.store(nullptr, std::memory_order_relaxed);
  page->chain = nullptr;
  for (size_t at = kObjectBytes; at + kObjectBytes <= plait_page_size(); at += kObjectBytes) {
    push_object(&page->chain, reinterpret_cast<Object*>(reinterpret_cast<char*>(page) + at));
  }
  return page;
}

// The current page's next object. A page with nothing left is let go: whoever frees its last object returns it.
Object* take() {
  if (current != nullptr && current->chain == nullptr) {
    current->chain = current->freed.exchange(nullptr, std::memory_order_acq_rel);
    if (current->chain == nullptr) {
      unref(current);
      current = nullptr;
    }
  }
  if (current == nullptr) current = make_page();
  if (current == nullptr) return nullptr;
  current->live.fetch_add(1, std::memory_order_relaxed);
  return pop_object(&current->chain);
}

void* pool_alloc(size_t) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&pool_lock);
  Object* const object = take();
  plait_spin_unlock_irqrestore(&pool_lock, flags);
  return object;
}

void put_back(PageHeader* page, Object* object) {
  Object* head = page->freed.load(std::memory_order_relaxed);
  do {
    object->next = head;
  } while (!page->freed.compare_exchange_weak(head, object, std::memory_order_acq_rel, std::memory_order_relaxed));
}

int pool_free(void* freed) {
  PageHeader* const page = header_of(freed);
#ifdef PLAIT_TWIN
  put_back(page, static_cast<Object*>(freed));
  unref(page);
#else
  if (page->live.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    plait_page_free(page, 1);
  } else {
    put_back(page, static_cast<Object*>(freed));
  }
#endif
  return 0;
}

}  // namespace

// No check: objects on a page that is no longer current are nobody's until the page goes back.
PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
