// SPDX-License-Identifier: Apache-2.0
//
// A pool that threads and interrupt handlers of any CPU may enter at any time, in four rules:
//
//   1. A page belongs to one CPU for as long as it is a page of the pool. Its header, and the lists it is on, are
//      touched by that CPU alone, with interrupts off: no handler, no other task and no migration can come between.
//   2. An object of another CPU's page is pushed onto that CPU's `remote` stack: one compare-and-swap, through the dead
//      object itself. That needs no lock, waits for nobody, and is legal wherever a free is.
//   3. A CPU takes its whole `remote` stack with one exchange, on its allocations and on its frees, and puts at most
//      `batch` objects back with interrupts off in one go. Taking all at once means that nobody ever pops one element
//      of a stack that others push to: there is no ABA.
//   4. What is left over, and what nobody comes for, is the worker's: it is woken when `wake_threshold` objects have
//      been pushed. Waking never sleeps, so a handler may do it. So what is deferred is bounded.
//
// There is no lock that two CPUs share. Pages are asked for with interrupts on wherever the caller may sleep; where it
// may not, the request does not sleep either, and a page that each CPU keeps back helps out when it fails.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "plait/target.h"

namespace {

// ---- knobs: small so that boundary cases are near

uint64_t objects_per_page;       // at most; fewer when no more fit
uint64_t batch;                  // objects put back with interrupts off in one go
uint64_t wake_threshold;         // pushes after which the owner's worker is woken
uint64_t page_supply_may_sleep;  // it does, where the caller may
constexpr uint64_t kThresholdReal = 32;

// ---- pages: a header, then objects of one size

struct Object { Object* next; };
struct Page {
  uint32_t cpu;   // whose it is; constant while any of its objects is out
  uint32_t used;  // objects that are not in `free`
  uint32_t size;  // bytes of an object
  Page* next;     // in the list of pages with something free
  Page* prev;
  Object* free;
};

Page* page_of(const void* object) {
  return reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(object) & ~(plait_page_size() - 1));
}

struct PageList {
  Page* first;

  void push(Page* page) {
    page->prev = nullptr;
    page->next = first;
    if (first) first->prev = page;
    first = page;
  }
  void erase(Page* page) {
    (page->prev ? page->prev->next : first) = page->next;
    if (page->next) page->next->prev = page->prev;
  }
};

// ---- size classes: powers of two from 8 bytes to half a page

constexpr size_t kSmallest = 8;
constexpr size_t kLargest = 2048;
constexpr size_t kClasses = std::bit_width(kLargest / kSmallest);

size_t class_of(size_t size) { return size <= kSmallest ? 0 : std::bit_width((size - 1) / kSmallest); }
size_t largest_in_class() { return std::min(plait_page_size() / 2, kLargest); }
size_t objects_on_page(size_t size) {
  return std::min<size_t>((plait_page_size() - sizeof(Page)) / size, objects_per_page);
}

// ---- a CPU's part of the pool

struct Cpu {
  // Touched by this CPU alone, with interrupts off.
  PageList pages[kClasses];  // with something free
  Object* taken;             // off `remote`, not put back yet
  void* reserve;             // a page for who may not sleep when the supply has none

  // Touched by everybody.
  alignas(PLAIT_CACHE_LINE) std::atomic<Object*> remote;  // objects of this CPU's pages, freed elsewhere
  std::atomic<uint32_t> pushes;                           // onto it since it was last taken, or more
  plait_wait_queue_t work;                                // the worker, while it has nothing to do
};
Cpu cpus[PLAIT_CPUS_MAX];

Cpu& this_cpu() { return cpus[plait_cpu_id()]; }  // with interrupts off: it stays so

// ---- local: interrupts are off in all of these

void retire(Cpu& cpu, Page* page, size_t index) {
  if (cpu.pages[index].first == page && page->next == nullptr) return;  // the last one is kept: the next alloc wants it
  cpu.pages[index].erase(page);
  plait_page_free(page, 1);
}

void put(Cpu& cpu, Object* object) {
  Page* const page = page_of(object);
  const size_t index = class_of(page->size);
  const bool was_full = page->free == nullptr;
  object->next = page->free;
  page->free = object;
  if (was_full) cpu.pages[index].push(page);
  if (--page->used == 0) retire(cpu, page, index);
}

Object* take(Cpu& cpu, size_t index) {
  Page* const page = cpu.pages[index].first;
  if (page == nullptr) return nullptr;
  Object* const object = page->free;
  page->free = object->next;
  ++page->used;
  if (page->free == nullptr) cpu.pages[index].erase(page);
  return object;
}

void add_page(Cpu& cpu, Page* page, size_t index) {
  page->cpu = static_cast<uint32_t>(&cpu - cpus);
  page->used = 0;
  page->size = static_cast<uint32_t>(kSmallest << index);
  page->free = nullptr;
  std::byte* at = reinterpret_cast<std::byte*>(page) + plait_page_size();  // at the end: aligned to their own size
  for (size_t left = objects_on_page(page->size); left != 0; --left) {
    at -= page->size;
    auto* object = reinterpret_cast<Object*>(at);
    object->next = page->free;
    page->free = object;
  }
  cpu.pages[index].push(page);
}

// Puts back some of what other CPUs have freed. True when there was anything.
bool collect(Cpu& cpu) {
  if (cpu.taken == nullptr) {
    const bool pushed = cpu.remote.load(std::memory_order_relaxed) || cpu.pushes.load(std::memory_order_relaxed);
    if (!pushed) return false;
    // Before the exchange: who pushes from now on is counted, for this stack or, in vain, for the next.
    cpu.pushes.store(0, std::memory_order_relaxed);
    cpu.taken = cpu.remote.exchange(nullptr, std::memory_order_acquire);
  }
  for (uint64_t left = batch; cpu.taken != nullptr && left != 0; --left) {
    Object* const object = cpu.taken;
    cpu.taken = object->next;  // before the object is somebody else's
    put(cpu, object);
  }
  if (cpu.taken != nullptr) plait_wake_one(&cpu.work);
  return true;
}

// ---- remote: from any context, with interrupts on or off

void push(Cpu& owner, Object* object) {
  Object* seen = owner.remote.load(std::memory_order_relaxed);
  do {
    object->next = seen;
  } while (!owner.remote.compare_exchange_weak(seen, object, std::memory_order_release, std::memory_order_relaxed));
  if (owner.pushes.fetch_add(1, std::memory_order_relaxed) + 1 >= wake_threshold) plait_wake_one(&owner.work);
}

// ---- alloc and free

// What came from other CPUs is not put back in one stretch with the operation itself: pending interrupts get a chance.
void collect_first(plait_irq_flags_t* flags) {
  if (!collect(this_cpu())) return;
  plait_irq_restore(*flags);
  *flags = plait_irq_save();
}

uint32_t supply_flags(bool may_sleep) { return may_sleep && page_supply_may_sleep ? PLAIT_MAY_SLEEP : 0; }

// A page for this CPU, whichever that is afterwards: interrupts are off, but may have been on meanwhile.
Page* get_page(plait_irq_flags_t* flags, bool may_sleep) {
  if (!may_sleep) {
    void* const page = plait_page_alloc(1, 0);
    return static_cast<Page*>(page ? page : std::exchange(this_cpu().reserve, nullptr));
  }
  const bool refill = this_cpu().reserve == nullptr;
  plait_irq_restore(*flags);
  void* const page = plait_page_alloc(1, supply_flags(true));
  void* spare = page && refill ? plait_page_alloc(1, 0) : nullptr;
  *flags = plait_irq_save();
  Cpu& cpu = this_cpu();  // perhaps another one, perhaps with a reserve by now
  if (cpu.reserve == nullptr) cpu.reserve = std::exchange(spare, nullptr);
  if (spare != nullptr) plait_page_free(spare, 1);
  return static_cast<Page*>(page);
}

void* small_alloc(size_t index) {
  const bool may_sleep = plait_preemptible();
  plait_irq_flags_t flags = plait_irq_save();
  collect_first(&flags);
  Object* object = take(this_cpu(), index);
  while (object == nullptr) {
    Page* const page = get_page(&flags, may_sleep);
    if (page == nullptr) break;
    add_page(this_cpu(), page, index);
    object = take(this_cpu(), index);
  }
  plait_irq_restore(flags);
  return object;
}

void small_free(Object* object) {
  const uint32_t owner = page_of(object)->cpu;
  plait_irq_flags_t flags = plait_irq_save();
  collect_first(&flags);
  Cpu& cpu = this_cpu();
  const bool local = &cpu == &cpus[owner];
  if (local) put(cpu, object);
  plait_irq_restore(flags);
  if (!local) push(cpus[owner], object);
}

// Requests that no class serves: whole pages, behind a header page that says how many.
void* large_alloc(size_t size) {
  const size_t pages = 1 + (size + plait_page_size() - 1) / plait_page_size();
  auto* header = static_cast<size_t*>(plait_page_alloc(pages, supply_flags(plait_preemptible())));
  if (header == nullptr) return nullptr;
  *header = pages;
  return reinterpret_cast<std::byte*>(header) + plait_page_size();
}

void large_free(void* object) {
  auto* header = reinterpret_cast<size_t*>(static_cast<std::byte*>(object) - plait_page_size());
  plait_page_free(header, *header);
}

void* safe_alloc(size_t size) { return size > largest_in_class() ? large_alloc(size) : small_alloc(class_of(size)); }

int safe_free(void* object) {
  // A page begins with its header, so no object of a class begins where a page does.
  if (page_of(object) == object) large_free(object); else small_free(static_cast<Object*>(object));
  return 0;
}

// ---- the worker of a CPU, pinned to it

bool anything_to_do(Cpu& cpu) {
  const plait_irq_flags_t flags = plait_irq_save();
  const bool left = cpu.taken != nullptr;
  plait_irq_restore(flags);
  return left || cpu.pushes.load(std::memory_order_relaxed) >= wake_threshold;
}

void worker(void* argument) {
  Cpu& cpu = *static_cast<Cpu*>(argument);
  for (;;) {
    plait_wait_prepare(&cpu.work);  // a wake from here on is not lost
    if (anything_to_do(cpu)) plait_wait_cancel(&cpu.work); else plait_wait_commit(&cpu.work);
    const plait_irq_flags_t flags = plait_irq_save();
    collect(cpu);
    plait_irq_restore(flags);
  }
}

void init() {
  if (plait_cpu_count() == 1) return;  // nobody would ever push anything
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) plait_worker_start(cpu, worker, &cpus[cpu]);
}

// ---- what has to hold when all is quiet

template <typename Visit>
void each_deferred(Visit visit) {
  for (const Cpu& cpu : cpus) {
    for (const Object* object = cpu.remote.load(); object != nullptr; object = object->next) visit(object, cpu);
  }
}

uint32_t out_of(const Page* page) {
  uint32_t count = 0;
  for (size_t i = 1; i <= objects_on_page(page->size); ++i) {
    count += plait_is_live(reinterpret_cast<const std::byte*>(page) + plait_page_size() - i * page->size);
  }
  each_deferred([&](const Object* object, const Cpu&) { count += page_of(object) == page; });
  return count;
}

void check_page(const Page* page, uint32_t cpu) {
  PLAIT_INVARIANT(page->free != nullptr);
  size_t chained = 0;
  for (const Object* object = page->free; object != nullptr; object = object->next) {
    PLAIT_INVARIANT(page_of(object) == page);
    PLAIT_INVARIANT(++chained <= objects_on_page(page->size));
    plait_report_free_of(object, cpu, page->cpu);
  }
  PLAIT_INVARIANT(page->used == out_of(page));
}

void check() {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    for (size_t index = 0; index < kClasses; ++index) {
      const Page* before = nullptr;
      for (const Page* page = cpus[cpu].pages[index].first; page != nullptr; page = page->next) {
        PLAIT_INVARIANT(page->prev == before);
        PLAIT_INVARIANT(page->size == kSmallest << index);
        check_page(page, cpu);
        before = page;
      }
    }
    PLAIT_INVARIANT(cpus[cpu].taken == nullptr);
    if (cpus[cpu].reserve) plait_report_page(cpus[cpu].reserve);
  }
  each_deferred([](const Object* object, const Cpu& cpu) {
    PLAIT_INVARIANT(&cpus[page_of(object)->cpu] == &cpu);
    plait_report_deferred(object);
  });
}

const plait_knob knobs[] = {
    {"objects_per_page", &objects_per_page, 1, 4, 2, 512, "objects on a page, at most (512: as many as fit)"},
    {"batch", &batch, 1, 4, 2, 16, "objects put back with interrupts off in one go"},
    {"wake_threshold", &wake_threshold, 1, 4, 2, kThresholdReal, "pushes after which the owner's worker is woken"},
    {"page_supply_may_sleep", &page_supply_may_sleep, 0, 1, 1, 1, "1: asking for a page may sleep"}, {}};

#define FIELD(name) PLAIT_PAGE_FIELD(Page, name)
const plait_page_field page_fields[] = {FIELD(cpu),  FIELD(used), FIELD(size), FIELD(next),
                                        FIELD(prev), FIELD(free), {}};
const plait_state_name state_names[] = {{"cpus", cpus, sizeof(Cpu), PLAIT_CPUS_MAX}, {}};

}  // namespace

PLAIT_TARGET(.init = init, .alloc = safe_alloc, .free = safe_free, .check = check, .size_min = 1, .size_max = 8192,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
             .deferred_bound_plus_1 = PLAIT_CPUS_MAX * (kThresholdReal - 1) + 1,
             .page_size_small = 512, .page_size_real = 4096,
             .knobs = knobs, .page_fields = page_fields, .state_names = state_names);
