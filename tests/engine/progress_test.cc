// SPDX-License-Identifier: Apache-2.0
//
// Waiting, spinning and giving up: nobody who can go on is left waiting, and whoever cannot is found and named.
#include "expect.h"
#include "machine/machine.h"
#include "strategy/registry.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

TEST(a_context_that_spins_replays_like_any_other) {
  for (const bool relaxes : {true, false}) {
    Bench bench;
    bench.with_page();
    bench.scenario.cpus = 3;
    static bool relax;
    relax = relaxes;
    // A test-and-set lock by hand, beside work on words of one's own.
    on_alloc = [](size_t size) {
      const uint32_t me = machine->cpu_id(0);
      for (;;) {
        if (load(&g.words[8]) == 0) {
          machine->access(reinterpret_cast<uintptr_t>(&g.words[8]), 8, kRmw | kAtomic | kMayFail, 0);
          if (g.words[8] == 0) {
            g.words[8] = 1;
            ++hot.writes;
            break;
          }
        }
        if (relax) machine->relax(0);
      }
      store(&g.words[16 + me], load(&g.words[16 + me]) + 1);
      void* object = bump(size);
      store(&g.words[8], 0);
      return object;
    };
    for (uint32_t i = 0; i < 3; ++i) bench.add_task(i, 3);
    for (const auto name : strategy_names()) {
      auto strategy = make_strategy(name);
      bench.get().load(bench.scenario, bench.limits);
      for (uint64_t seed = 0; seed < 400; ++seed) {
        const Outcome fast = bench.get().run(*strategy, seed, {bench.limits, false, false});
        EXPECT(fast.verdict == VerdictKind::kPassed);
        const auto schedule = bench.get().schedule();
        const Outcome slow = bench.run(schedule);
        EXPECT(bench.dropped == 0);
        EXPECT(slow.steps == fast.steps);
        EXPECT(bench.get().schedule() == schedule);
      }
    }
  }
}

TEST(a_wake_between_prepare_and_commit_is_kept_across_a_mutex) {
  Bench bench;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  on_alloc = [](size_t) -> void* {
    if (machine->cpu_id(0) == 1) {
      machine->mutex_lock(&g.mutex[0], 0);
      store(&g.words[1], 1);
      machine->wake(&g.queue[0], true, 0);
      machine->mutex_unlock(&g.mutex[0], 0);
    } else {
      machine->wait_prepare(&g.queue[0], 0);
      machine->mutex_lock(&g.mutex[0], 0);
      const bool ready = load(&g.words[1]) != 0;
      machine->mutex_unlock(&g.mutex[0], 0);
      if (ready) {
        machine->wait_cancel(&g.queue[0], 0);
      } else {
        machine->wait_commit(&g.queue[0], 0);
      }
    }
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  auto strategy = make_strategy("random");
  bench.get().load(bench.scenario, bench.limits);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    EXPECT(bench.get().run(*strategy, seed, {bench.limits, false, false}).verdict == VerdictKind::kPassed);
  }
}

TEST(spinning_contexts_take_turns_when_nothing_else_can_move) {
  Bench bench;
  bench.scenario.cpus = 3;
  for (uint32_t i = 0; i < 3; ++i) bench.add_task(i);
  // Task 0 waits for word 1, which task 1 sets once it has seen word 2, which task 2 sets.
  on_alloc = [](size_t) -> void* {
    const uint32_t me = machine->cpu_id(0);
    const auto wait_for = [](uint64_t* word) {
      while (load(word) == 0) machine->relax(0);
    };
    if (me == 0) wait_for(&g.words[1]);
    if (me == 1) {
      wait_for(&g.words[2]);
      store(&g.words[1], 1);
    }
    if (me == 2) store(&g.words[2], 1);
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  for (const auto name : strategy_names()) {
    auto strategy = make_strategy(name);
    bench.get().load(bench.scenario, bench.limits);
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      EXPECT(bench.get().run(*strategy, seed, {bench.limits, false, false}).verdict == VerdictKind::kPassed);
    }
  }
}

TEST(a_lock_in_memory_that_nobody_initialised_is_a_failure_and_not_a_pass) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  on_alloc = [](size_t size) {
    machine->spin_lock(reinterpret_cast<plait_spinlock*>(load(&g.words[0])), 0);
    return bump(size);
  };
  EXPECT(failed_as(bench.run(), FailureKind::kUnbalancedUnlock));
}

TEST(a_task_that_only_an_undelivered_interrupt_could_wake_is_given_up) {
  Bench bench;
  bench.add_task(0);
  bench.add_line(0);
  on_alloc = [](size_t) -> void* {
    if (machine->in_handler()) {
      machine->wake(&g.queue[0], true, 0);
    } else {
      machine->wait(&g.queue[0], 0);
    }
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  const Outcome waiting = bench.run();
  EXPECT(waiting.verdict == VerdictKind::kGaveUp && waiting.give_up == GiveUp::kWaiting);
}

TEST(a_wake_with_nobody_waiting_is_lost_and_prepare_keeps_it) {
  Bench bench;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  on_alloc = [](size_t) -> void* {
    if (machine->cpu_id(0) == 1) {
      store(&g.words[1], 1);
      machine->wake(&g.queue[0], true, 0);
    } else {
      while (load(&g.words[1]) == 0) machine->wait(&g.queue[0], 0);
    }
    machine->page_alloc(1000, 0, 0);  // a refused page makes the null a legal answer
    return nullptr;
  };
  EXPECT(bench.run().verdict == VerdictKind::kPassed);
  // task 0 saw 0; then everything of task 1 happens; then it waits
  EXPECT(failed_as(bench.run({{task(0), 3, go(1)}}), FailureKind::kLostWakeup));
  on_alloc = [](size_t) -> void* {
    if (machine->cpu_id(0) == 1) {
      store(&g.words[1], 1);
      machine->wake(&g.queue[0], true, 0);
    } else {
      machine->wait_prepare(&g.queue[0], 0);
      if (load(&g.words[1]) == 0) {
        machine->wait_commit(&g.queue[0], 0);
      } else {
        machine->wait_cancel(&g.queue[0], 0);
      }
    }
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  for (uint32_t after = 0; after < 8; ++after) EXPECT(bench.run({{task(0), after, go(1)}}).verdict == VerdictKind::kPassed);
}

TEST(crossed_mutexes_are_a_deadlock_and_ordered_ones_are_not) {
  Bench bench;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  static bool crossed;
  on_alloc = [](size_t) -> void* {
    const uint32_t first = crossed ? machine->cpu_id(0) : 0;
    machine->mutex_lock(&g.mutex[first], 0);
    machine->mutex_lock(&g.mutex[1 - first], 0);
    machine->mutex_unlock(&g.mutex[1 - first], 0);
    machine->mutex_unlock(&g.mutex[first], 0);
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  crossed = true;
  EXPECT(bench.run().verdict == VerdictKind::kPassed);
  EXPECT(failed_as(bench.run({{task(0), 3, go(1)}}), FailureKind::kDeadlock));
  crossed = false;
  for (uint32_t after = 0; after < 8; ++after) EXPECT(bench.run({{task(0), after, go(1)}}).verdict == VerdictKind::kPassed);
}

TEST(a_handler_that_waits_for_its_own_cpus_lock_is_a_self_deadlock) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_line(LineSpec::kAnyCpu);
  on_alloc = [](size_t size) {
    machine->spin_lock(&g.spin[0], 0);
    void* object = bump(size);
    machine->spin_unlock(&g.spin[0], 0);
    return object;
  };
  EXPECT(failed_as(bench.run({{task(0), 2, interrupt(0, 0)}}), FailureKind::kSelfDeadlock));
  EXPECT(bench.run({{task(0), 2, interrupt(1, 0)}}).verdict == VerdictKind::kPassed);  // spins, then goes on
}

TEST(spin_waits_end_under_every_schedule_and_real_livelocks_are_found) {
  for (const bool relaxes : {true, false}) {
    Bench bench;
    bench.scenario.cpus = 2;
    bench.add_task(0);
    bench.add_task(1);
    static bool relax;
    static bool releases;
    relax = relaxes;
    on_alloc = [](size_t) -> void* {
      if (machine->cpu_id(0) == 0) {
        while (load(&g.words[1]) == 0) {
          if (relax) machine->relax(0);
        }
      } else if (releases) {
        store(&g.words[1], 1);
      }
      machine->page_alloc(1000, 0, 0);
      return nullptr;
    };
    releases = true;
    EXPECT(bench.run().verdict == VerdictKind::kPassed);
    EXPECT(bench.run({{task(0), 4, go(1)}}).verdict == VerdictKind::kPassed);
    releases = false;
    EXPECT(failed_as(bench.run(), FailureKind::kLivelock));
  }
}

TEST(an_endless_scenario_gives_up_and_never_passes) {
  Bench bench;
  bench.with_page();
  bench.limits.steps = 20;
  bench.add_task(0, 10);
  const Outcome outcome = bench.run();
  EXPECT(outcome.verdict == VerdictKind::kGaveUp);
  EXPECT(outcome.give_up == GiveUp::kStepLimit);
}

TEST(a_handler_on_an_idle_cpu_keeps_its_mutex_when_a_task_comes_there) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0, 1, false);
  bench.add_line(1);
  on_init = [] {
    g.words[0] = reinterpret_cast<uintptr_t>(machine->page_alloc(1, 0, 0));
    g.mutex[0].flags = PLAIT_MUTEX_RECURSIVE | PLAIT_MUTEX_CHECK_WHEN_WAITING;
  };
  on_alloc = [](size_t size) {
    if (!machine->in_handler()) return bump(size);
    machine->mutex_lock(&g.mutex[0], 0);
    void* object = bump(size);
    machine->mutex_unlock(&g.mutex[0], 0);
    return object;
  };
  const Outcome outcome = bench.run({{task(0), 1, interrupt(1, 0)}, {irq(0), 3, migrate(task(0), 1)}});
  EXPECT(outcome.verdict == VerdictKind::kPassed);
  EXPECT(bench.dropped == 0);
}
