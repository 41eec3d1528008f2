// SPDX-License-Identifier: Apache-2.0
//
// The memory pool of the OSv unikernel as it was before drivers whose interrupt handlers allocate and free were carried
// in. Per-CPU page lists are protected by switching preemption off, and by nothing else; another CPU's object is handed
// over through a ring and, when that is full, through a slot under a mutex. Sound as long as only threads enter it, on
// any number of CPUs; an interrupt handler on the same CPU breaks it in about a dozen ways (README.md).
//
// Each statement on shared memory is a step of the algorithm, in the algorithm's order; next_step() between two of them
// keeps the compiler from merging or reordering their accesses. DROP marks where an operation lets go of the preemption
// lock in its middle, because it may sleep there: afterwards it may be on another CPU, and what it knew is out of date.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "plait/target.h"

namespace {

// ---- knobs: small so that boundary cases are near; `real` below is what production has

uint64_t objects_per_page;       // at most; fewer when no more fit
uint64_t ring_capacity;          // entries
uint64_t nalloc_atomic;          // nalloc changes in one access, as x86 compiles it, or in two
uint64_t page_supply_may_sleep;  // then an allocation that needs a page is illegal where blocking is

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

// ---- alloc

void* pool_alloc(Pool& pool) {
  plait_preempt_disable();
  while (my_pages(pool).empty()) {
    plait_preempt_enable();  // DROP
    auto* page = static_cast<PageHeader*>(plait_page_alloc(1, supply_flags()));
    if (page == nullptr) return nullptr;
    plait_preempt_disable();  // perhaps on another CPU, perhaps with pages in its list by now
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
  plait_preempt_enable();
  return o;
}

// ---- free, on the CPU whose page it is

// A page on which everything is free goes back when such a page (perhaps it itself) is kept at the end of the list.
bool page_can_go(Pool& pool, const PageHeader* h) {
  return h->nalloc == 0 && !my_pages(pool).empty() && my_pages(pool).last->nalloc == 0;
}

void free_same_cpu(Pool& pool, PageHeader* h, FreeObject* o) {
  add_to_nalloc(h, -1);
  if (page_can_go(pool, h)) {
    next_step();
    if (h->local_free != nullptr) my_pages(pool).erase(h);
    plait_preempt_enable();  // DROP
    plait_page_free(h, 1);
    plait_preempt_disable();
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

// ---- free, on another CPU: the object is handed over to the worker of its CPU

// One producer, the CPU that frees, which is why nothing but preemption is kept away; one consumer, the worker.
struct Ring {
  static constexpr size_t kCapacityMax = 256;
  std::atomic<uint32_t> begin;  // taken out so far
  std::atomic<uint32_t> end;    // put in so far
  FreeObject* entries[kCapacityMax];

  uint32_t size() const { return end.load(std::memory_order_relaxed) - begin.load(std::memory_order_acquire); }
  bool push(FreeObject* o) {
    const uint32_t at = end.load(std::memory_order_relaxed);
    if (at - begin.load(std::memory_order_acquire) >= ring_capacity) return false;
    entries[at % ring_capacity] = o;
    end.store(at + 1, std::memory_order_release);
    return true;
  }
  FreeObject* pop() {
    const uint32_t at = begin.load(std::memory_order_relaxed);
    if (at == end.load(std::memory_order_acquire)) return nullptr;
    FreeObject* const o = entries[at % ring_capacity];
    begin.store(at + 1, std::memory_order_release);
    return o;
  }
};

// Where frees meet whose ring is full. The mutex is OSv's: recursive by thread, and it asserts that the caller may
// sleep only when it has to wait.
struct Sync {
  plait_mutex_t mutex;
  plait_wait_queue_t emptied;        // frees that wait for the slot
  plait_wait_queue_t work;           // the worker, while it has nothing to do
  std::atomic<FreeObject*> slot;     // changes only under the mutex; atomic because the worker looks without it
};

Ring rings[PLAIT_CPUS_MAX][PLAIT_CPUS_MAX];  // [owner of the page][CPU that frees]
Sync sync[PLAIT_CPUS_MAX];                   // [owner of the page]

Ring& my_ring(uint32_t owner) { return rings[owner][plait_cpu_id()]; }

void free_different_cpu(FreeObject* o, uint32_t owner) {
  if (my_ring(owner).push(o)) return;  // nobody is woken: this path has to be short
  plait_preempt_enable();              // DROP
  Sync& to = sync[owner];
  plait_mutex_lock(&to.mutex);
  while (to.slot.load(std::memory_order_relaxed) != nullptr) plait_wait_mutex(&to.emptied, &to.mutex);
  plait_preempt_disable();
  if (!my_ring(owner).push(o)) to.slot.store(o, std::memory_order_relaxed);
  if (my_ring(owner).size() * 2 > ring_capacity) plait_wake_one(&to.work);
  plait_preempt_enable();
  plait_mutex_unlock(&to.mutex);
  plait_preempt_disable();
}

void free_object(FreeObject* o) {
  Pool& pool = *to_header(o)->owner;
  plait_preempt_disable();
  PageHeader* const h = to_header(o);
  const uint32_t owner = h->cpu_id;
  if (owner == plait_cpu_id()) free_same_cpu(pool, h, o); else free_different_cpu(o, owner);
  plait_preempt_enable();
}

// ---- the worker of a CPU, pinned to it: for it every object is one of its own CPU

bool anything_to_do(uint32_t me) {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    if (rings[me][cpu].size() != 0) return true;
  }
  return sync[me].slot.load(std::memory_order_relaxed) != nullptr;
}

void sleep_until_work(uint32_t me) {
  plait_wait_prepare(&sync[me].work);  // a wake from here on is not lost
  if (anything_to_do(me)) plait_wait_cancel(&sync[me].work); else plait_wait_commit(&sync[me].work);
}

FreeObject* take_slot(Sync& from) {
  plait_mutex_lock(&from.mutex);
  FreeObject* const o = from.slot.load(std::memory_order_relaxed);
  from.slot.store(nullptr, std::memory_order_relaxed);
  plait_mutex_unlock(&from.mutex);
  plait_wake_all(&from.emptied);
  return o;
}

void worker(void* argument) {
  const auto me = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(argument));
  for (;;) {
    sleep_until_work(me);
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      while (FreeObject* o = rings[me][cpu].pop()) free_object(o);
    }
    if (FreeObject* o = take_slot(sync[me])) free_object(o);
  }
}

// ---- requests that no pool serves: whole pages, behind a header page that says how many

void* large_alloc(size_t size) {
  const size_t pages = 1 + (size + plait_page_size() - 1) / plait_page_size();
  auto* header = static_cast<size_t*>(plait_page_alloc(pages, supply_flags()));
  if (header == nullptr) return nullptr;
  *header = pages;
  return reinterpret_cast<std::byte*>(header) + plait_page_size();
}

void large_free(void* object) {
  auto* header = reinterpret_cast<size_t*>(static_cast<std::byte*>(object) - plait_page_size());
  plait_page_free(header, *header);
}

// ---- what Plait calls

void init() {
  for (Sync& each : sync) each.mutex.flags = PLAIT_MUTEX_RECURSIVE | PLAIT_MUTEX_CHECK_WHEN_WAITING;
  if (plait_cpu_count() == 1) return;  // nobody would ever hand anything over
  for (uintptr_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    plait_worker_start(static_cast<uint32_t>(cpu), worker, reinterpret_cast<void*>(cpu));
  }
}

void* original_alloc(size_t size) {
  return size > largest_in_pool() ? large_alloc(size) : pool_alloc(pool_for(size));
}

int original_free(void* object) {
  // A page begins with its header, so no object of a pool begins where a page does.
  if (to_header(object) == object) large_free(object); else free_object(static_cast<FreeObject*>(object));
  return 0;
}

// ---- the invariants when all is quiet

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

// Calls visit(object, owner) for all that was handed over and not yet freed.
template <typename Visit>
void each_handed_over(Visit visit) {
  for (uint32_t owner = 0; owner < plait_cpu_count(); ++owner) {
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      const Ring& ring = rings[owner][cpu];
      const uint32_t size = ring.size();
      PLAIT_INVARIANT(size <= ring_capacity);
      for (uint32_t i = 0; i < size; ++i) visit(ring.entries[(ring.begin + i) % ring_capacity], owner);
    }
    if (FreeObject* o = sync[owner].slot) visit(o, owner);
  }
}

void check_page(const Pool& pool, const PageHeader* h, uint32_t cpu, size_t handed_over_in_all) {
  PLAIT_INVARIANT(h->owner == &pool);
  PLAIT_INVARIANT(h->cpu_id == cpu);
  PLAIT_INVARIANT(h->local_free != nullptr);
  size_t chained = 0;
  uint32_t handed_over = 0;
  for (const FreeObject* o = h->local_free; o != nullptr; o = o->next) {
    PLAIT_INVARIANT(is_object_of(h, o));
    PLAIT_INVARIANT(++chained <= objects_on_page(pool));
    plait_report_free(o, cpu);
  }
  if (handed_over_in_all != 0) {
    each_handed_over([&](const FreeObject* o, uint32_t) { handed_over += to_header(o) == h; });
  }
  PLAIT_INVARIANT(h->nalloc == live_on(h) + handed_over);
}

bool is_listed(const PageHeader* page) {
  const PageHeader* h = page->owner->pages[page->cpu_id].first;
  while (h != nullptr && h != page) h = h->next;
  return h != nullptr;
}

void check_list(const Pool& pool, uint32_t cpu, size_t handed_over_in_all) {
  const PageHeader* before = nullptr;
  for (const PageHeader* h = pool.pages[cpu].first; h != nullptr; h = h->next) {
    PLAIT_INVARIANT(h->prev == before);  // also ends the walk of a list that has become a ring
    check_page(pool, h, cpu, handed_over_in_all);
    before = h;
  }
  PLAIT_INVARIANT(pool.pages[cpu].last == before);
}

void check() {
  size_t handed_over = 0;
  each_handed_over([&](const FreeObject*, uint32_t) { ++handed_over; });
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (const Pool& pool : pools) check_list(pool, cpu, handed_over);
  }
  each_handed_over([](const FreeObject* o, uint32_t owner) {
    const PageHeader* h = to_header(o);
    PLAIT_INVARIANT(h->cpu_id == owner);
    PLAIT_INVARIANT(is_listed(h) == (h->local_free != nullptr));  // of pages on a list, check_page says the same
    plait_report_deferred(o);
  });
}

const plait_knob knobs[] = {
    {"objects_per_page", &objects_per_page, 1, 4, 2, 512, "objects on a page, at most (512: as many as fit)"},
    {"ring_capacity", &ring_capacity, 1, 4, 2, Ring::kCapacityMax, "entries of a hand-over ring"},
    {"nalloc_atomic", &nalloc_atomic, 0, 1, 1, 1, "1: a page's count changes in one access, 0: in two"},
    {"page_supply_may_sleep", &page_supply_may_sleep, 0, 1, 0, 0, "1: asking for a page may sleep"}, {}};

#define FIELD(name) PLAIT_PAGE_FIELD(PageHeader, name)
const plait_page_field page_fields[] = {
    FIELD(owner), FIELD(cpu_id), FIELD(nalloc), FIELD(next), FIELD(prev), FIELD(local_free), {}};

#define PAGES(size, index) {"pages_of_" #size, pools[index].pages, sizeof(PageList), PLAIT_CPUS_MAX}
#define RINGS(owner) {"rings_to_cpu" #owner, rings[owner], sizeof(Ring), PLAIT_CPUS_MAX}
const plait_state_name state_names[] = {
    PAGES(8, 0),   PAGES(16, 1),  PAGES(32, 2),   PAGES(64, 3),   PAGES(128, 4),
    PAGES(256, 5), PAGES(512, 6), PAGES(1024, 7), PAGES(2048, 8),
    RINGS(0), RINGS(1), RINGS(2), RINGS(3), RINGS(4), RINGS(5), RINGS(6), RINGS(7),
    {"sync", sync, sizeof(Sync), PLAIT_CPUS_MAX}, {}};

}  // namespace

// That handlers may enter it is what is asked, not what is promised.
PLAIT_TARGET(.init = init, .alloc = original_alloc, .free = original_free, .check = check,
             .size_min = 1, .size_max = 8192, .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
             .page_size_small = 512, .page_size_real = 4096,
             .knobs = knobs, .page_fields = page_fields, .state_names = state_names);
