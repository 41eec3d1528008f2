// SPDX-License-Identifier: Apache-2.0
//
// Pages in a list that only grows; each has a lock and a chain of free objects of its own (README.md).
#include <atomic>

#include "../common/object_chain.h"

namespace {

struct Page {
  plait_spinlock_t lock;
  Object* free;
  Page* next;  // does not change once the page is in the list
};
std::atomic<Page*> pages;

void fill(Page* page) {
  page->lock = {};
  page->free = nullptr;
  char* const base = reinterpret_cast<char*>(page);
  for (size_t at = kObjectBytes; at + kObjectBytes <= plait_page_size(); at += kObjectBytes) {
    push_object(&page->free, reinterpret_cast<Object*>(base + at));
  }
}

bool add_page() {
  auto* const page = static_cast<Page*>(plait_page_alloc(1, 0));
  if (page == nullptr) return false;
#ifdef PLAIT_TWIN
  fill(page);
#endif
  page->next = pages.load(std::memory_order_relaxed);
  while (!pages.compare_exchange_weak(page->next, page, std::memory_order_release, std::memory_order_relaxed)) {
  }
#ifndef PLAIT_TWIN
  fill(page);
#endif
  return true;
}

Object* take_from(Page* page) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&page->lock);
  Object* const object = pop_object(&page->free);
  plait_spin_unlock_irqrestore(&page->lock, flags);
  return object;
}

void* pool_alloc(size_t) {
  do {
    for (Page* page = pages.load(std::memory_order_acquire); page != nullptr; page = page->next) {
      if (Object* const object = take_from(page)) return object;
    }
  } while (add_page());
  return nullptr;
}

int pool_free(void* object) {
  auto* const page = reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1));
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&page->lock);
  push_object(&page->free, static_cast<Object*>(object));
  plait_spin_unlock_irqrestore(&page->lock, flags);
  return 0;
}

void pool_check() {
  for (const Page* page = pages.load(); page != nullptr; page = page->next) {
    plait_report_page(page);
    report_chain(page->free);
  }
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .page_size_small = kPageBytes);
