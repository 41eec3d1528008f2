// SPDX-License-Identifier: Apache-2.0
//
// The hand-over of `original` and `irq_locked`: one ring for each pair of CPUs, and where frees meet whose ring is full.
#pragma once

#include <atomic>

#include "pages.h"

namespace {

uint64_t ring_capacity;  // entries

// One producer, the CPU that frees; one consumer, the worker of the CPU that owns the page.
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

// The mutex is OSv's: recursive by thread, and it asserts that the caller may sleep only when it has to wait.
struct Sync {
  plait_mutex_t mutex;
  plait_wait_queue_t emptied;     // frees that wait for the slot
  plait_wait_queue_t work;        // the worker, while it has nothing to do
  std::atomic<FreeObject*> slot;  // changes only under the mutex; atomic because the worker looks without it
};

Ring rings[PLAIT_CPUS_MAX][PLAIT_CPUS_MAX];  // [owner of the page][CPU that frees]
Sync sync[PLAIT_CPUS_MAX];                   // [owner of the page]

Ring& my_ring(uint32_t owner) { return rings[owner][plait_cpu_id()]; }

#define RING_KNOB {"ring_capacity", &ring_capacity, 1, 4, 2, Ring::kCapacityMax, "entries of a hand-over ring"}
#define RINGS_TO(owner) {"rings_to_cpu" #owner, rings[owner], sizeof(Ring), PLAIT_CPUS_MAX}
#define RING_STATE_NAMES                                                                                         \
  RINGS_TO(0), RINGS_TO(1), RINGS_TO(2), RINGS_TO(3), RINGS_TO(4), RINGS_TO(5), RINGS_TO(6), RINGS_TO(7),         \
      {"sync", sync, sizeof(Sync), PLAIT_CPUS_MAX}

// ---- the worker of a CPU, pinned to it

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

// Calls free(object) for what is handed over to this CPU, for ever.
template <void (*kFree)(FreeObject*)>
void worker(void* argument) {
  const auto me = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(argument));
  for (;;) {
    sleep_until_work(me);
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      while (FreeObject* o = rings[me][cpu].pop()) kFree(o);
    }
    if (FreeObject* o = take_slot(sync[me])) kFree(o);
  }
}

template <void (*kFree)(FreeObject*)>
void start_workers() {
  for (Sync& each : sync) each.mutex.flags = PLAIT_MUTEX_RECURSIVE | PLAIT_MUTEX_CHECK_WHEN_WAITING;
  if (plait_cpu_count() == 1) return;  // nobody would ever hand anything over
  for (uintptr_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
    plait_worker_start(static_cast<uint32_t>(cpu), worker<kFree>, reinterpret_cast<void*>(cpu));
  }
}

// ---- when all is quiet: visit(object, owner) for all that was handed over and not yet freed

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

}  // namespace
