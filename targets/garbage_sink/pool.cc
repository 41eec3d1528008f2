// SPDX-License-Identifier: Apache-2.0
//
// The repair that the upstream project chose later. An object of another CPU's page goes onto a stack of that CPU that
// is chained through the dead objects themselves: pushing is one compare-and-swap and never waits. Every so many pushes
// the owner's worker is woken; it takes the whole chain with one exchange, and reads on before it frees. Sound from
// threads on any number of CPUs. The page lists of a CPU are protected by switching preemption off, as in ../original,
// so an interrupt handler still meets them in the middle of a change.
#include <atomic>

#include "../common/pages.h"

namespace {

uint64_t signal_threshold;  // pushes between two wakes of the worker

struct Lock {
  static void take() { plait_preempt_disable(); }
  static void release() { plait_preempt_enable(); }
  static void drop() { plait_preempt_enable(); }
  static void retake() { plait_preempt_disable(); }
};

struct Sink {
  std::atomic<FreeObject*> head;
  std::atomic<uint32_t> pushes;  // since the owner last took the chain

  // True when the worker should be woken.
  bool push(FreeObject* o) {
    FreeObject* seen = head.load(std::memory_order_relaxed);
    do {
      o->next = seen;
    } while (!head.compare_exchange_weak(seen, o, std::memory_order_release, std::memory_order_relaxed));
    return pushes.fetch_add(1, std::memory_order_relaxed) + 1 >= signal_threshold;
  }
  FreeObject* take_all() {
    pushes.store(0, std::memory_order_relaxed);  // first: who pushes from now on counts for the next chain
    return head.exchange(nullptr, std::memory_order_acquire);
  }
};

Sink sinks[PLAIT_CPUS_MAX][PLAIT_CPUS_MAX];  // [owner of the page][CPU that frees]
plait_wait_queue_t work[PLAIT_CPUS_MAX];     // the worker of each CPU, while it has nothing to do

void free_object(FreeObject* o) {
  Pool& pool = *to_header(o)->owner;
  Lock::take();
  PageHeader* const h = to_header(o);
  const uint32_t owner = h->cpu_id;
  if (owner == plait_cpu_id()) {
    free_same_cpu<Lock>(pool, h, o);
  } else if (sinks[owner][plait_cpu_id()].push(o)) {
    plait_wake_one(&work[owner]);
  }
  Lock::release();
}

// ---- the worker of a CPU, pinned to it

bool enough_to_do(uint32_t me) {
  for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    if (sinks[me][cpu].pushes.load(std::memory_order_relaxed) >= signal_threshold) return true;
  }
  return false;
}

void worker(void* argument) {
  const auto me = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(argument));
  for (;;) {
    plait_wait_prepare(&work[me]);  // a wake from here on is not lost
    if (enough_to_do(me)) plait_wait_cancel(&work[me]); else plait_wait_commit(&work[me]);
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      for (FreeObject* o = sinks[me][cpu].take_all(); o != nullptr;) {
        FreeObject* const next = o->next;  // before the object is somebody else's
        free_object(o);
        o = next;
      }
    }
  }
}

// ---- what Plait calls

void init() {
  if (plait_cpu_count() == 1) return;  // nobody would ever push anything
  for (uintptr_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    plait_worker_start(static_cast<uint32_t>(cpu), worker, reinterpret_cast<void*>(cpu));
  }
}

void* sink_alloc(size_t size) {
  return size > largest_in_pool() ? large_alloc(size) : pool_alloc<Lock>(pool_for(size));
}

int sink_free(void* object) {
  if (is_large(object)) large_free(object); else free_object(static_cast<FreeObject*>(object));
  return 0;
}

template <typename Visit>
void each_in_a_sink(Visit visit) {
  for (uint32_t owner = 0; owner < plait_cpu_count(); ++owner) {
    for (const Sink& sink : sinks[owner]) {
      for (const FreeObject* o = sink.head.load(); o != nullptr; o = o->next) visit(o, owner);
    }
  }
}

void check() {
  for (uint32_t owner = 0; owner < plait_cpu_count(); ++owner) PLAIT_INVARIANT(!enough_to_do(owner));
  check_pools([](auto visit) { each_in_a_sink(visit); });
}

constexpr uint64_t kThresholdReal = 32;
const plait_knob knobs[] = {
    PAGES_KNOBS(1), {"signal_threshold", &signal_threshold, 1, 4, 2, kThresholdReal, "pushes between two wakes of a worker"}, {}};

#define SINKS_TO(owner) {"sinks_to_cpu" #owner, sinks[owner], sizeof(Sink), PLAIT_CPUS_MAX}
const plait_state_name state_names[] = {
    PAGES_STATE_NAMES, SINKS_TO(0), SINKS_TO(1), SINKS_TO(2), SINKS_TO(3), SINKS_TO(4), SINKS_TO(5), SINKS_TO(6),
    SINKS_TO(7), {"work", work, sizeof(plait_wait_queue_t), PLAIT_CPUS_MAX}, {}};

}  // namespace

// What waits at the end is less than a threshold for each pair of CPUs.
PLAIT_TARGET(.init = init, .alloc = sink_alloc, .free = sink_free, .check = check, .size_min = 1, .size_max = 8192,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
             .deferred_bound_plus_1 = PLAIT_CPUS_MAX * (PLAIT_CPUS_MAX - 1) * (kThresholdReal - 1) + 1,
             .page_size_small = 512, .page_size_real = 4096,
             .knobs = knobs, .page_fields = page_fields, .state_names = state_names);
