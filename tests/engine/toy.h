// SPDX-License-Identifier: Apache-2.0
//
// A target without a compiler in between: allocator functions of the test itself that announce their accesses by hand,
// on a machine of their own. `load` and `store` are one visible operation each.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "strategy/replay.h"

namespace plait::toy {

struct alignas(4096) Globals {
  uint64_t words[256];
  plait_spinlock spin[2];
  plait_mutex mutex[2];
  plait_wait_queue queue[2];
  plait_semaphore semaphore;
};

inline Globals g;
inline Hot hot;
inline Machine* machine = nullptr;
inline std::function<void*(size_t)> on_alloc;
inline std::function<int(void*)> on_free;
inline std::function<void()> on_init;
inline std::vector<std::string> log;  // what happened, in order

inline uint64_t load(uint64_t* word) {
  machine->access(reinterpret_cast<uintptr_t>(word), 8, kRead, 0);
  return *word;
}
inline void store(uint64_t* word, uint64_t value) {
  machine->access(reinterpret_cast<uintptr_t>(word), 8, kWrite, 0);
  *word = value;
}
inline void note(const std::string& text) { log.push_back(text); }

inline const plait_target& declaration() {
  static plait_target target = [] {
    plait_target made{};
    made.abi = PLAIT_TARGET_ABI;
    made.init = [] { if (on_init) on_init(); };
    made.alloc = [](size_t size) { return on_alloc(size); };
    made.free = [](void* object) { return on_free(object); };
    made.size_max = 4096;
    made.contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER;
    return made;
  }();
  return target;
}

// A bump allocator: sound as long as nobody cuts load and store apart.
inline void* bump(size_t size) {
  const uint64_t next = load(&g.words[0]);
  store(&g.words[0], next + ((size + 7) & ~size_t{7}));
  return reinterpret_cast<void*>(next);
}

class Bench {
 public:
  Bench() : machine_(hot) {
    machine = &machine_;
    g = Globals{};
    log.clear();
    on_init = [] { g.words[0] = 0; };
    on_alloc = bump;
    on_free = [](void*) { return 0; };
    TargetImage image;
    image.declaration = &declaration();
    image.load_base = reinterpret_cast<uintptr_t>(&g);
    image.load_size = sizeof g;
    image.data = {reinterpret_cast<uintptr_t>(&g), sizeof g};
    machine_.set_target(image);
    scenario.pages = 16;
    limits.order_checks = false;  // these targets share words as they like
  }
  ~Bench() { machine = nullptr; }

  // A task with `count` allocations of 16 bytes into slots of its own.
  void add_task(uint32_t cpu, uint32_t count = 1, bool pinned = true) {
    TaskSpec task;
    task.cpu = CpuId{static_cast<uint8_t>(cpu)};
    task.pinned = pinned;
    for (uint32_t i = 0; i < count; ++i) task.operations.push_back({OperationKind::kAlloc, next_slot_++, 16});
    scenario.tasks.push_back(task);
  }
  void add_line(int cpu, uint32_t fires = 1, uint32_t count = 1) {
    LineSpec line;
    line.cpu = cpu;
    line.fires = fires;
    for (uint32_t i = 0; i < count; ++i) line.operations.push_back({OperationKind::kAlloc, next_slot_++, 16});
    scenario.lines.push_back(line);
  }
  // Objects come from one page that init takes.
  void with_page() {
    on_init = [] { g.words[0] = reinterpret_cast<uintptr_t>(machine->page_alloc(1, 0, 0)); };
  }
  Outcome run(std::vector<Deviation> schedule = {}, bool record = true) {
    Replay replay{std::move(schedule)};
    machine_.load(scenario, limits);
    log.clear();
    const Outcome outcome = machine_.run(replay, 0, {limits, record, record});
    dropped = replay.dropped();
    return outcome;
  }
  Machine& get() { return machine_; }

  Scenario scenario;
  Limits limits;
  uint32_t dropped = 0;

 private:
  Machine machine_;
  uint8_t next_slot_ = 0;
};

inline bool failed_as(const Outcome& outcome, FailureKind kind) {
  if (outcome.verdict == VerdictKind::kFailed && outcome.failure.kind == kind) return true;
  std::fprintf(stderr, "  got %s\n", outcome.verdict == VerdictKind::kFailed ? outcome.failure.message.c_str() : "no failure");
  return false;
}

inline ContextId task(uint8_t number) { return {ContextKind::kTask, number, 0}; }
inline ContextId irq(uint8_t line, uint16_t activation = 0) { return {ContextKind::kIrq, line, activation}; }
inline Move go(uint8_t cpu) { return {MoveKind::kGo, CpuId{cpu}, 0, 0, {}}; }
inline Move interrupt(uint8_t cpu, uint8_t line) { return {MoveKind::kInterrupt, CpuId{cpu}, line, 0, {}}; }
inline Move preempt(uint8_t cpu, ContextId who) { return {MoveKind::kPreempt, CpuId{cpu}, 0, 0, who}; }
inline Move migrate(ContextId who, uint8_t cpu) { return {MoveKind::kMigrate, CpuId{cpu}, 0, 0, who}; }

}  // namespace plait::toy
