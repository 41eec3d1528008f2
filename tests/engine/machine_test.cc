// SPDX-License-Identifier: Apache-2.0
//
// machine.md, sentence by sentence, on the toy target: who may move when, what the default is, what a deviation means.
// What waits and what spins is in progress_test.cc.
#include "expect.h"
#include "machine/machine.h"
#include "strategy/registry.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

TEST(the_empty_schedule_runs_one_task_after_another) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0, 2);
  bench.add_task(1, 2);
  on_alloc = [](size_t size) {
    note(std::string(short_name({ContextKind::kTask, static_cast<uint8_t>(machine->cpu_id(0)), 0})));
    return bump(size);
  };
  const Outcome outcome = bench.run();
  EXPECT(outcome.verdict == VerdictKind::kPassed);
  EXPECT((log == std::vector<std::string>{"task 0", "task 0", "task 1", "task 1"}));
  EXPECT(bench.get().schedule().empty());
}

TEST(an_interrupt_between_load_and_store_hands_one_object_out_twice) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  bench.add_line(0);
  // call, load, [interrupt], store, return
  const Outcome outcome = bench.run({{task(0), 2, interrupt(0, 0)}});
  EXPECT(failed_as(outcome, FailureKind::kDoubleAllocation));
  EXPECT(bench.dropped == 0);
  EXPECT(bench.run({{task(0), 1, interrupt(0, 0)}}).verdict == VerdictKind::kPassed);
  EXPECT(bench.run({{task(0), 3, interrupt(0, 0)}}).verdict == VerdictKind::kPassed);
}

TEST(a_recorded_schedule_replays_to_the_same_hash_and_drops_nothing) {
  Bench bench;
  bench.with_page();
  for (uint32_t i = 0; i < 3; ++i) bench.add_task(i % 2, 3, false);
  bench.add_line(LineSpec::kAnyCpu, 3);
  bench.scenario.cpus = 2;
  for (const auto name : strategy_names()) {
    auto strategy = make_strategy(name);
    for (uint64_t seed = 0; seed < 300; ++seed) {
      bench.get().load(bench.scenario, bench.limits);
      const Outcome first = bench.get().run(*strategy, seed, {bench.limits, true, false});
      const uint64_t hash = bench.get().recorder().hash();
      const auto schedule = bench.get().schedule();
      // Fast and recorded executions are the same execution.
      bench.get().run(*strategy, seed, {bench.limits, false, false});
      const Outcome again = bench.run(schedule);
      EXPECT(bench.dropped == 0);
      EXPECT(bench.get().recorder().hash() == hash);
      EXPECT(again.verdict == first.verdict);
      EXPECT(bench.get().schedule() == schedule);
    }
  }
}

TEST(space_that_is_carved_anew_is_not_lost) {
  Bench bench;
  TaskSpec task;
  for (const uint8_t slot : {0, 1}) task.operations.push_back({OperationKind::kAlloc, slot, 16});
  for (const uint8_t slot : {0, 1}) task.operations.push_back({OperationKind::kFree, slot, 0});
  task.operations.push_back({OperationKind::kAlloc, 2, 32});
  bench.scenario.tasks.push_back(task);
  bench.with_page();
  static uint64_t handed;
  handed = 0;
  on_alloc = [](size_t size) {
    const uint64_t offset = size == 32 ? 0 : 16 * handed++;
    return reinterpret_cast<void*>(load(&g.words[0]) + offset);
  };
  EXPECT(bench.run().verdict == VerdictKind::kPassed);
}

TEST(a_fast_execution_and_its_recorded_replay_are_the_same) {
  Bench bench;
  bench.with_page();
  for (uint32_t i = 0; i < 3; ++i) bench.add_task(0, 3);
  bench.add_line(0, 2);
  for (const auto name : strategy_names()) {
    auto strategy = make_strategy(name);
    for (uint64_t seed = 0; seed < 500; ++seed) {
      bench.get().load(bench.scenario, bench.limits);
      const Outcome fast = bench.get().run(*strategy, seed, {bench.limits, false, false});
      const auto schedule = bench.get().schedule();
      const Outcome slow = bench.run(schedule);
      EXPECT(schedule == bench.get().schedule());
      EXPECT(fast.steps == slow.steps && fast.accesses == slow.accesses);
      EXPECT(fast.verdict == slow.verdict && fast.behaviour == slow.behaviour);
    }
  }
}

TEST(deviations_that_are_not_enabled_are_dropped_and_counted) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  bench.run({{task(0), 2, interrupt(0, 0)}, {task(0), 900, go(0)}, {task(7), 0, go(0)}, {task(0), 1, preempt(0, task(3))}});
  EXPECT(bench.dropped == 4);
}

TEST(interrupts_off_keeps_handlers_away_on_this_cpu_only) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_line(LineSpec::kAnyCpu, 2);
  on_alloc = [](size_t size) {
    if (machine->in_handler()) return bump(size);
    machine->irq_save(0);
    void* object = bump(size);
    machine->irq_restore(1, 0);
    return object;
  };
  // call, irq-save, load, [here], store, irq-restore, return
  EXPECT(bench.run({{task(0), 3, interrupt(0, 0)}}).verdict == VerdictKind::kPassed);
  EXPECT(bench.dropped == 1);
  EXPECT(failed_as(bench.run({{task(0), 3, interrupt(1, 0)}}), FailureKind::kDoubleAllocation));
}

TEST(preemption_off_keeps_other_tasks_away_but_not_handlers) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  bench.add_task(0);
  bench.add_line(0);
  on_alloc = [](size_t size) {
    machine->preempt_disable(0);
    void* object = bump(size);
    machine->preempt_enable(0);
    return object;
  };
  EXPECT(bench.run({{task(0), 3, preempt(0, task(1))}}).verdict == VerdictKind::kPassed);
  EXPECT(bench.dropped == 1);
  EXPECT(bench.run({{task(0), 1, preempt(0, task(1))}}).verdict == VerdictKind::kPassed);
  EXPECT(bench.dropped == 0);
  EXPECT(failed_as(bench.run({{task(0), 3, interrupt(0, 0)}}), FailureKind::kDoubleAllocation));
}

TEST(handlers_nest_when_they_turn_interrupts_on_and_a_line_does_not_interrupt_itself) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  bench.add_line(0, 2);
  bench.add_line(0, 1);
  on_alloc = [](size_t size) {
    if (machine->in_handler()) machine->irq_set(true, 0);
    return bump(size);
  };
  // irq 0: call, irq-on, [here]
  EXPECT(bench.run({{task(0), 0, interrupt(0, 0)}, {irq(0), 2, interrupt(0, 0)}}).verdict != VerdictKind::kGaveUp);
  EXPECT(bench.dropped == 1);
  bench.run({{task(0), 0, interrupt(0, 0)}, {irq(0), 3, interrupt(0, 1)}});
  EXPECT(bench.dropped == 0);
}

TEST(a_task_migrates_when_it_is_preemptible_and_free) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0, 1, false);
  on_alloc = [](size_t size) {
    note(std::to_string(machine->cpu_id(0)));
    note(std::to_string(machine->cpu_id(0)));
    return bump(size);
  };
  bench.run({{task(0), 2, migrate(task(0), 1)}});
  EXPECT((log == std::vector<std::string>{"0", "1"}));
  bench.scenario.tasks[0].pinned = true;
  bench.run({{task(0), 2, migrate(task(0), 1)}});
  EXPECT(bench.dropped == 1);
}

TEST(stack_accesses_become_visible_once_somebody_else_touches_the_stack) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  static uint64_t* published;
  published = nullptr;
  on_alloc = [](size_t size) {
    uint64_t local = 5;
    if (machine->cpu_id(0) == 0) {
      published = &local;
      store(&g.words[1], 1);
      load(&local);
    } else if (published) {
      load(published);
    }
    return bump(size);
  };
  const Outcome outcome = bench.run({{task(0), 3, go(1)}});
  EXPECT(outcome.shared_stacks == 1u << 1);
  const uint64_t hash = bench.get().recorder().hash();
  bench.limits.shared_stacks = outcome.shared_stacks;  // as a failure file keeps it
  bench.run({{task(0), 3, go(1)}});
  EXPECT(bench.get().recorder().hash() == hash);
}

TEST(memory_is_as_it_was_before_every_execution) {
  Bench bench;
  bench.with_page();
  bench.add_task(0, 4);
  bench.run();
  const uint64_t hash = bench.get().recorder().hash();
  for (int i = 0; i < 50; ++i) {
    bench.run();
    EXPECT(bench.get().recorder().hash() == hash);
  }
}

TEST(a_sink_sees_every_visible_operation) {
  struct Counter final : AccessSink {
    void begin() override { steps = 0; }
    void step(const AccessEvent&) override { ++steps; }
    uint64_t steps = 0;
  } counter;
  Bench bench;
  bench.with_page();
  bench.add_task(0, 3);
  bench.get().set_sink(&counter);
  const Outcome outcome = bench.run({}, false);
  EXPECT(counter.steps == outcome.steps);
  EXPECT(outcome.steps == 3 * 4);
}

TEST(a_device_steps_when_the_schedule_lets_it_and_its_interrupt_is_delivered) {
  struct Completer final : Device {
    void begin() override { left = 1; }
    bool enabled() const override { return left > 0; }
    void step(Machine& machine, uint8_t) override {
      --left;
      machine.raise_line(0);
    }
    int left = 0;
  } device;
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  bench.add_line(0, 1);
  bench.scenario.lines[0].fires = 0;  // only the device makes it fire
  on_alloc = [](size_t size) {
    note(machine->in_handler() ? "handler" : "task");
    return bump(size);
  };
  bench.get().set_devices({&device});
  EXPECT(bench.run().verdict == VerdictKind::kPassed);
  EXPECT((log == std::vector<std::string>{"task", "handler"}));
  bench.run({{task(0), 0, {MoveKind::kDevice, {}, 0, 0, {}}}, {{ContextKind::kDevice, 0, 0}, 1, interrupt(0, 0)}});
  EXPECT((log == std::vector<std::string>{"handler", "task"}));
}
