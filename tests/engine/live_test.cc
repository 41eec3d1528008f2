// SPDX-License-Identifier: Apache-2.0
//
// Live runs on the toy target: what is done move by move, while programs grow, is what a plain replay does.
#include "expect.h"
#include "live/live.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

namespace {

// Replays what the live run recorded and compares.
void expect_same(Bench& bench, Live& live) {
  const Outcome recorded = live.outcome(false);
  const std::vector<Deviation> schedule = bench.get().schedule();
  const uint64_t hash = bench.get().recorder().hash();
  bench.scenario = live.scenario();
  const Outcome again = bench.run(schedule);
  EXPECT(bench.dropped == 0);
  EXPECT(again.verdict == recorded.verdict);
  EXPECT(bench.get().recorder().hash() == hash);
}

}  // namespace

TEST(a_cut_allocation_and_a_handler_in_it) {
  Bench bench;
  bench.with_page();
  bench.scenario.tasks.push_back({CpuId{0}, true, {}});
  Live live(bench.get(), bench.scenario, bench.limits);
  live.add(0, {OperationKind::kAlloc, 0, 16});
  EXPECT(live.steps(task(0), 2) == 2);  // call and load
  LineSpec line;
  line.fires = 0;
  line.operations.push_back({OperationKind::kAlloc, 1, 16});
  live.add_line(line);
  EXPECT(live.interrupt(0, CpuId{0}));
  EXPECT(live.steps(irq(0), kForever) == 4);
  EXPECT(!live.failed());
  live.settle();
  EXPECT(failed_as(live.last(), FailureKind::kDoubleAllocation));
  expect_same(bench, live);
}

TEST(what_waited_had_its_next_operation_all_along) {
  Bench bench;
  bench.with_page();
  for (int i = 0; i < 2; ++i) bench.scenario.tasks.push_back({CpuId{0}, true, {}});
  Live live(bench.get(), bench.scenario, bench.limits);
  for (uint8_t slot = 0; slot < 6; ++slot) {
    live.add(slot % 2, {OperationKind::kAlloc, slot, 16});
    EXPECT(live.steps(task(slot % 2), kForever) == 4);
    EXPECT(live.dropped() == 0);
  }
  live.settle();
  EXPECT(live.last().verdict == VerdictKind::kPassed);
  live.outcome(false);
  EXPECT(bench.get().schedule().size() == 4);
  expect_same(bench, live);
}

TEST(who_waits_for_a_lock_takes_no_steps_until_it_is_free) {
  Bench bench;
  bench.with_page();
  bench.scenario.cpus = 2;
  for (uint8_t cpu = 0; cpu < 2; ++cpu) bench.scenario.tasks.push_back({CpuId{cpu}, true, {}});
  on_alloc = [](size_t size) {
    machine->spin_lock(&g.spin[0], 0);
    void* object = bump(size);
    machine->spin_unlock(&g.spin[0], 0);
    return object;
  };
  Live live(bench.get(), bench.scenario, bench.limits);
  live.add(0, {OperationKind::kAlloc, 0, 16});
  live.add(1, {OperationKind::kAlloc, 1, 16});
  EXPECT(live.steps(task(0), 3) == 3);  // call, lock, load
  EXPECT(live.steps(task(1), kForever) == 1);
  EXPECT(live.steps(task(1), kForever) == 0);
  EXPECT(live.steps(task(0), kForever) == 3);
  EXPECT(live.steps(task(1), kForever) == 5);
  live.settle();
  EXPECT(live.last().verdict == VerdictKind::kPassed);
  expect_same(bench, live);
}

TEST(another_user_of_the_machine_disturbs_nothing) {
  Bench bench;
  bench.with_page();
  bench.scenario.tasks.push_back({CpuId{0}, true, {}});
  Live live(bench.get(), bench.scenario, bench.limits);
  Live other(bench.get(), bench.scenario, bench.limits);
  live.add(0, {OperationKind::kAlloc, 0, 16});
  live.steps(task(0), 2);
  other.add(0, {OperationKind::kAlloc, 0, 64});
  other.settle();
  live.refresh();
  EXPECT(bench.get().objects().all().empty());
  EXPECT(live.steps(task(0), kForever) == 2);
  EXPECT(bench.get().objects().all().size() == 1);
  expect_same(bench, live);
}

TEST(an_opening_is_where_others_are_let_in_and_the_operation_is_not_over) {
  Bench bench;
  bench.with_page();
  bench.scenario.tasks.push_back({CpuId{0}, true, {}});
  on_alloc = [](size_t size) {
    machine->preempt_disable(0);
    machine->irq_set(false, 0);
    machine->irq_set(true, 0);  // to handlers
    machine->preempt_enable(0);  // to tasks
    machine->preempt_disable(0);
    void* object = bump(size);
    machine->preempt_enable(0);
    return object;
  };
  Live live(bench.get(), bench.scenario, bench.limits);
  live.add(0, {OperationKind::kAlloc, 0, 16});
  live.refresh();
  EXPECT(!live.at_hand(0));
  EXPECT(live.until_opening(task(0), 1) == 4);  // call, two off, one on
  EXPECT(live.until_opening(task(0), 1) == 1);
  EXPECT(live.until_opening(task(0), 1) == 5);  // the last one is where it returns
  EXPECT(live.at_hand(0));
  live.settle();
  EXPECT(live.last().verdict == VerdictKind::kPassed);
  expect_same(bench, live);
}
