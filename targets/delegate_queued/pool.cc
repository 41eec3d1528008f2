// SPDX-License-Identifier: Apache-2.0
//
// The second repair: an object of another CPU's page is pushed onto a queue of that CPU, a std::queue, and the next free
// on that CPU frees what is in there before its own object. Nobody waits any more, the interrupt lock is gone again, and
// it "works". Only preemption is switched off, which keeps neither other CPUs nor handlers from the queue (README.md).
//
// With SELF_HOSTED the queue's memory comes from the pool itself, as it does where the pool is the kernel's malloc.
#define _GLIBCXX_DEQUE_BUF_SIZE 16  // bytes of a node: the next one, and a larger map, are near (production: 512)
#include <new>
#include <queue>
#include <span>

#include "../common/pages.h"

namespace {

struct Lock {
  static void take() { plait_preempt_disable(); }
  static void release() { plait_preempt_enable(); }
  static void drop() { plait_preempt_enable(); }
  static void retake() { plait_preempt_disable(); }
};

using Queue = std::queue<FreeObject*>;
union Place {  // begins its life in init, because that is when there is memory
  Place() {}
  ~Place() {}
  Queue queue;
};
Place queues[kPools][PLAIT_CPUS_MAX];  // [pool][owner of the page]

Queue& queue_of(const Pool& pool, uint32_t owner) { return queues[&pool - pools][owner].queue; }

void free_object(FreeObject* o) {
  Pool& pool = *to_header(o)->owner;
  Lock::take();
  PageHeader* const h = to_header(o);
  const uint32_t owner = h->cpu_id;
  Queue& queue = queue_of(pool, owner);
  if (owner == plait_cpu_id()) {
    while (!queue.empty()) {
      FreeObject* const front = queue.front();
      free_same_cpu<Lock>(pool, to_header(front), front);
      queue.pop();
    }
    free_same_cpu<Lock>(pool, h, o);
  } else {
    queue.push(o);
  }
  Lock::release();
}

// ---- what Plait calls

std::span<Pool> used_pools() { return {pools, size_t{1} + static_cast<size_t>(&pool_for(largest_in_pool()) - pools)}; }

void init() {
  for (const Pool& pool : used_pools()) {
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) new (&queue_of(pool, cpu)) Queue;
  }
}

void* queued_alloc(size_t size) {
  return size > largest_in_pool() ? large_alloc(size) : pool_alloc<Lock>(pool_for(size));
}

int queued_free(void* object) {
  if (is_large(object)) large_free(object); else free_object(static_cast<FreeObject*>(object));
  return 0;
}

// Reaches into the queue without popping: the container is a protected member.
struct Open : Queue {
  static const container_type& of(const Queue& queue) { return queue.*&Open::c; }
};

template <typename Visit>
void each_queued(Visit visit) {
  for (const Pool& pool : used_pools()) {
    for (uint32_t owner = 0; owner < plait_cpu_count(); ++owner) {
      for (const FreeObject* o : Open::of(queue_of(pool, owner))) visit(o, owner);
    }
  }
}

void check() {
  check_pools([](auto visit) { each_queued(visit); });
}

const plait_knob knobs[] = {PAGES_KNOBS(1), {}};
const plait_state_name state_names[] = {PAGES_STATE_NAMES, {"queues", queues, sizeof(Place), kPools * PLAIT_CPUS_MAX}, {}};

#ifdef SELF_HOSTED
constexpr plait_heap kHeap = PLAIT_HEAP_SELF;
#else
constexpr plait_heap kHeap = PLAIT_HEAP_PRIVATE;
#endif
constexpr uint64_t kDeferredMax = 8;  // what its authors would have said if they had been asked

}  // namespace

PLAIT_TARGET(.init = init, .alloc = queued_alloc, .free = queued_free, .check = check, .size_min = 1, .size_max = 8192,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER, .heap = kHeap, .deferred_bound_plus_1 = kDeferredMax + 1,
             .page_size_small = 512, .page_size_real = 4096,
             .knobs = knobs, .page_fields = page_fields, .state_names = state_names);
