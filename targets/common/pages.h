// SPDX-License-Identifier: Apache-2.0
//
// What the pools in the manner of OSv have in common: pages with a header and a chain of free objects, a list of pages
// with something free for each CPU and size, and what has to hold when all is quiet. How an operation keeps others away,
// and what becomes of an object that another CPU frees, is each pool's own.
//
// A pool says how it keeps others away as a type `Lock`: take() and release() around an operation, drop() and retake()
// where it lets go in its middle because it may sleep there; afterwards it may be on another CPU, and what it knew is out
// of date. Each statement on shared memory is a step of the algorithm; next_step() keeps the compiler from merging two.
//
// Included once, by the one source of a target. ../original/pool.cc is the same algorithm written out in one piece.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "plait/target.h"

namespace {

// ---- knobs

uint64_t objects_per_page;       // at most; fewer when no more fit
uint64_t nalloc_atomic;          // nalloc changes in one access, as x86 compiles it, or in two
uint64_t page_supply_may_sleep;  // then an allocation that needs a page is illegal where blocking is

#define PAGES_KNOBS(may_sleep_max)                                                                                  \
  {"objects_per_page", &objects_per_page, 1, 4, 2, 512, "objects on a page, at most (512: as many as fit)"},        \
  {"nalloc_atomic", &nalloc_atomic, 0, 1, 1, 1, "1: a page's count changes in one access, 0: in two"},              \
  {"page_supply_may_sleep", &page_supply_may_sleep, 0, may_sleep_max, 0, 0, "1: asking for a page may sleep"}

inline void next_step() { asm volatile("" ::: "memory"); }
inline uint32_t supply_flags() { return page_supply_may_sleep ? PLAIT_MAY_SLEEP : 0; }

// ---- pages: a header, then objects of one size; those that are free are chained through their first word

struct Pool;
struct FreeObject { FreeObject* next; };
struct PageHeader {
  Pool* owner;
  uint32_t cpu_id;  // whose list the page is on while it has something free
  uint32_t nalloc;  // objects that are not in local_free
  PageHeader* next;
  PageHeader* prev;
  FreeObject* local_free;
};

PageHeader* to_header(const void* object) {
  return reinterpret_cast<PageHeader*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1));
}

struct PageList {
  PageHeader* first;
  PageHeader* last;

  bool empty() const { return first == nullptr; }
  void push_front(PageHeader* h) {
    PageHeader* const old = first;
    h->prev = nullptr;
    h->next = old;
    (old ? old->prev : last) = h;
    first = h;
  }
  void push_back(PageHeader* h) {
    PageHeader* const old = last;
    h->next = nullptr;
    h->prev = old;
    (old ? old->next : first) = h;
    last = h;
  }
  void erase(PageHeader* h) {
    PageHeader* const before = h->prev;
    PageHeader* const after = h->next;
    (before ? before->next : first) = after;
    (after ? after->prev : last) = before;
    h->next = h->prev = nullptr;
  }
};

// ---- pools: one for each power of two from 8 bytes to half a page

constexpr size_t kSmallest = 8;    // bytes
constexpr size_t kLargest = 2048;  // bytes: half of the largest page that this is used with
constexpr size_t kPools = std::bit_width(kLargest / kSmallest);

struct Pool { PageList pages[PLAIT_CPUS_MAX]; };
Pool pools[kPools];

size_t object_size(const Pool& pool) { return kSmallest << (&pool - pools); }
Pool& pool_for(size_t size) { return pools[size <= kSmallest ? 0 : std::bit_width((size - 1) / kSmallest)]; }
size_t largest_in_pool() { return std::min(plait_page_size() / 2, kLargest); }
size_t objects_on_page(const Pool& pool) {
  return std::min<size_t>((plait_page_size() - sizeof(PageHeader)) / object_size(pool), objects_per_page);
}

// The pages with something free of the CPU that asks: looked up anew at each use.
PageList& my_pages(Pool& pool) { return pool.pages[plait_cpu_id()]; }

void add_to_nalloc(PageHeader* h, int32_t amount) {
  if (nalloc_atomic) plait_local_add32(&h->nalloc, amount); else h->nalloc += static_cast<uint32_t>(amount);
  next_step();
}

// A fresh page with all its objects in the chain. They lie at the page's end, so each is aligned to its own size.
void make_page(Pool& pool, PageHeader* h) {
  h->owner = &pool;
  h->cpu_id = plait_cpu_id();
  h->nalloc = 0;
  FreeObject* chain = nullptr;
  std::byte* at = reinterpret_cast<std::byte*>(h) + plait_page_size();
  for (size_t left = objects_on_page(pool); left != 0; --left) {
    at -= object_size(pool);
    auto* o = reinterpret_cast<FreeObject*>(at);
    o->next = chain;
    chain = o;
  }
  h->local_free = chain;
}

template <typename Lock>
void* pool_alloc(Pool& pool) {
  Lock::take();
  while (my_pages(pool).empty()) {
    Lock::drop();
    auto* page = static_cast<PageHeader*>(plait_page_alloc(1, supply_flags()));
    Lock::retake();  // perhaps on another CPU, perhaps with pages in its list by now
    if (page == nullptr) {
      Lock::release();
      return nullptr;
    }
    make_page(pool, page);
    my_pages(pool).push_back(page);
  }
  PageHeader* const h = my_pages(pool).first;
  next_step();
  FreeObject* const o = h->local_free;
  next_step();
  add_to_nalloc(h, +1);
  h->local_free = o->next;
  next_step();
  if (h->local_free == nullptr) my_pages(pool).erase(h);
  Lock::release();
  return o;
}

// A page on which everything is free goes back when such a page (perhaps it itself) is kept at the end of the list.
bool page_can_go(Pool& pool, const PageHeader* h) {
  return h->nalloc == 0 && !my_pages(pool).empty() && my_pages(pool).last->nalloc == 0;
}

// The object of a page of this CPU; inside an operation.
template <typename Lock>
void free_same_cpu(Pool& pool, PageHeader* h, FreeObject* o) {
  add_to_nalloc(h, -1);
  if (page_can_go(pool, h)) {
    next_step();
    if (h->local_free != nullptr) my_pages(pool).erase(h);
    Lock::drop();
    plait_page_free(h, 1);
    Lock::retake();
    return;
  }
  next_step();
  if (h->local_free == nullptr) {
    next_step();
    if (h->nalloc != 0) my_pages(pool).push_front(h); else my_pages(pool).push_back(h);
  }
  next_step();
  o->next = h->local_free;
  next_step();
  h->local_free = o;
}

// ---- requests that no pool serves: whole pages, behind a header page that says how many

void* large_alloc(size_t size) {
  const size_t pages = 1 + (size + plait_page_size() - 1) / plait_page_size();
  auto* header = static_cast<size_t*>(plait_page_alloc(pages, supply_flags()));
  if (header == nullptr) return nullptr;
  *header = pages;
  return reinterpret_cast<std::byte*>(header) + plait_page_size();
}

// A page begins with its header, so no object of a pool begins where a page does.
bool is_large(const void* object) { return to_header(object) == object; }

void large_free(void* object) {
  auto* header = reinterpret_cast<size_t*>(static_cast<std::byte*>(object) - plait_page_size());
  plait_page_free(header, *header);
}

// ---- what has to hold when all is quiet

#ifdef SELF_HOSTED
constexpr bool kFeedsOnItself = true;
#else
constexpr bool kFeedsOnItself = false;
#endif

bool is_object_of(const PageHeader* h, const FreeObject* o) {
  const size_t size = object_size(*h->owner);
  const size_t from_end = plait_page_size() - (reinterpret_cast<uintptr_t>(o) & (plait_page_size() - 1));
  return to_header(o) == h && from_end % size == 0 && from_end / size <= objects_on_page(*h->owner);
}

uint32_t live_on(const PageHeader* h) {
  uint32_t count = 0;
  for (size_t i = 1; i <= objects_on_page(*h->owner); ++i) {
    count += plait_is_live(reinterpret_cast<const std::byte*>(h) + plait_page_size() - i * object_size(*h->owner));
  }
  return count;
}

// `each_waiting(visit)` calls visit(object, owner) for all that were freed and wait for their CPU.
template <typename EachWaiting>
void check_page(const Pool& pool, const PageHeader* h, uint32_t cpu, EachWaiting each_waiting) {
  PLAIT_INVARIANT(h->owner == &pool);
  PLAIT_INVARIANT(h->cpu_id == cpu);
  PLAIT_INVARIANT(h->local_free != nullptr);
  size_t chained = 0;
  uint32_t waiting = 0;
  for (const FreeObject* o = h->local_free; o != nullptr; o = o->next) {
    PLAIT_INVARIANT(is_object_of(h, o));
    PLAIT_INVARIANT(++chained <= objects_on_page(pool));
    plait_report_free(o, cpu);
  }
  each_waiting([&](const FreeObject* o, uint32_t) { waiting += to_header(o) == h; });
  // A pool that feeds on itself has objects out that nobody outside knows of.
  if (kFeedsOnItself) PLAIT_INVARIANT(h->nalloc >= live_on(h) + waiting);
  else PLAIT_INVARIANT(h->nalloc == live_on(h) + waiting);
}

bool is_listed(const PageHeader* page) {
  const PageHeader* h = page->owner->pages[page->cpu_id].first;
  while (h != nullptr && h != page) h = h->next;
  return h != nullptr;
}

template <typename EachWaiting>
void check_pools(EachWaiting each_waiting) {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (const Pool& pool : pools) {
      const PageHeader* before = nullptr;
      for (const PageHeader* h = pool.pages[cpu].first; h != nullptr; h = h->next) {
        PLAIT_INVARIANT(h->prev == before);  // also ends the walk of a list that has become a ring
        check_page(pool, h, cpu, each_waiting);
        before = h;
      }
      PLAIT_INVARIANT(pool.pages[cpu].last == before);
    }
  }
  each_waiting([](const FreeObject* o, uint32_t owner) {
    const PageHeader* h = to_header(o);
    PLAIT_INVARIANT(h->cpu_id == owner);
    PLAIT_INVARIANT(is_listed(h) == (h->local_free != nullptr));  // of pages on a list, check_page says the same
    plait_report_deferred(o);
  });
}

// ---- names for reports

#define PAGES_FIELD(name) PLAIT_PAGE_FIELD(PageHeader, name)
const plait_page_field page_fields[] = {PAGES_FIELD(owner), PAGES_FIELD(cpu_id), PAGES_FIELD(nalloc),
                                        PAGES_FIELD(next),  PAGES_FIELD(prev),   PAGES_FIELD(local_free), {}};

#define PAGES_OF(size, index) {"pages_of_" #size, pools[index].pages, sizeof(PageList), PLAIT_CPUS_MAX}
#define PAGES_STATE_NAMES                                                                                  \
  PAGES_OF(8, 0), PAGES_OF(16, 1), PAGES_OF(32, 2), PAGES_OF(64, 3), PAGES_OF(128, 4), PAGES_OF(256, 5),    \
      PAGES_OF(512, 6), PAGES_OF(1024, 7), PAGES_OF(2048, 8)

}  // namespace
