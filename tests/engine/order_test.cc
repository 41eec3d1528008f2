// SPDX-License-Identifier: Apache-2.0
//
// What orders two accesses and what does not, each rule with an execution that has it and one that lacks it.
#include "expect.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

namespace {

std::function<void(uint32_t)> body;  // of each operation, with the number of the CPU

uintptr_t pc(uint32_t line) { return reinterpret_cast<uintptr_t>(&g) + line; }
void plain_write(void* at, size_t size = 8) { machine->access(reinterpret_cast<uintptr_t>(at), size, kWrite, pc(1)); }
void plain_read(void* at, size_t size = 8) { machine->access(reinterpret_cast<uintptr_t>(at), size, kRead, pc(2)); }
void atomic(void* at, uint32_t kind, uint32_t order) {
  machine->access(reinterpret_cast<uintptr_t>(at), 8, kind | kAtomic | order << kOrderShift, pc(3));
}

// Two CPUs with a task each, or one with both; what an operation does is `run`.
Outcome on(uint32_t cpus, std::function<void(uint32_t)> run, std::vector<Deviation> schedule = {}, uint32_t lines = 0) {
  Bench bench;
  bench.limits.order_checks = true;
  bench.scenario.cpus = cpus;
  bench.add_task(0);
  bench.add_task(cpus - 1);
  for (uint32_t line = 0; line < lines; ++line) bench.add_line(LineSpec::kAnyCpu);
  body = std::move(run);
  on_alloc = [](size_t) -> void* {
    body(machine->cpu_id(0));
    machine->page_alloc(1000, 0, 0);  // refused, so that nothing may be returned
    return nullptr;
  };
  return bench.run(std::move(schedule));
}

bool passed(const Outcome& outcome) {
  if (outcome.verdict == VerdictKind::kPassed) return true;
  std::fprintf(stderr, "  got %s\n", outcome.failure.message.c_str());
  return false;
}

}  // namespace

TEST(two_cpus_that_write_without_a_lock_race_even_one_after_the_other) {
  const Outcome outcome = on(2, [](uint32_t) { plain_write(&g.words[1]); });
  EXPECT(failed_as(outcome, FailureKind::kDataRace));
  EXPECT(outcome.failure.evidence.size() == 2);
  EXPECT(outcome.failure.evidence[0].pc == 1 && outcome.failure.evidence[1].pc == 1);
  EXPECT(outcome.failure.evidence[0].cpu != outcome.failure.evidence[1].cpu);
}

TEST(two_readers_do_not_race_and_a_writer_races_with_the_first_of_them) {
  EXPECT(passed(on(2, [](uint32_t) { plain_read(&g.words[1]); })));
  Bench bench;
  bench.limits.order_checks = true;
  bench.scenario.cpus = 3;
  for (uint32_t cpu = 0; cpu < 3; ++cpu) bench.add_task(cpu);
  on_alloc = [](size_t) -> void* {
    const uint32_t cpu = machine->cpu_id(0);
    machine->spin_lock(&g.spin[cpu == 0 ? 0 : 1], 0);  // the writer is ordered after the second reader only
    cpu == 2 ? plain_write(&g.words[1]) : plain_read(&g.words[1]);
    machine->spin_unlock(&g.spin[cpu == 0 ? 0 : 1], 0);
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  const Outcome outcome = bench.run();
  EXPECT(failed_as(outcome, FailureKind::kDataRace));
  EXPECT(outcome.failure.evidence.size() == 2 && outcome.failure.evidence[1].context == task(0));
}

TEST(neighbours_in_a_word_do_not_race) {
  EXPECT(passed(on(2, [](uint32_t cpu) {
    plain_write(reinterpret_cast<char*>(&g.words[1]) + 4 * cpu, 4);
    plain_read(reinterpret_cast<char*>(&g.words[1]) + 4 * cpu, 4);
  })));
  EXPECT(failed_as(on(2, [](uint32_t cpu) {
    plain_write(reinterpret_cast<char*>(&g.words[1]) + 4 * cpu, 4);
    if (cpu == 1) plain_read(&g.words[1]);
  }), FailureKind::kDataRace));
}

TEST(a_lock_orders_and_another_lock_does_not) {
  EXPECT(passed(on(2, [](uint32_t) {
    machine->spin_lock(&g.spin[0], 0);
    plain_write(&g.words[1]);
    machine->spin_unlock(&g.spin[0], 0);
  })));
  EXPECT(passed(on(2, [](uint32_t) {
    machine->mutex_lock(&g.mutex[0], 0);
    plain_write(&g.words[1]);
    machine->mutex_unlock(&g.mutex[0], 0);
  })));
  EXPECT(failed_as(on(2, [](uint32_t cpu) {
    machine->spin_lock(&g.spin[cpu], 0);
    plain_write(&g.words[1]);
    machine->spin_unlock(&g.spin[cpu], 0);
  }), FailureKind::kDataRace));
}

TEST(release_and_acquire_order_and_relaxed_does_not) {
  const auto pass_on = [](uint32_t release, uint32_t acquire) {
    return on(2, [=](uint32_t cpu) {
      if (cpu == 0) {
        plain_write(&g.words[1]);
        atomic(&g.words[2], kWrite, release);
      } else {
        atomic(&g.words[2], kRead, acquire);
        plain_read(&g.words[1]);
      }
    });
  };
  EXPECT(passed(pass_on(__ATOMIC_RELEASE, __ATOMIC_ACQUIRE)));
  EXPECT(passed(pass_on(__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)));
  EXPECT(failed_as(pass_on(__ATOMIC_RELAXED, __ATOMIC_ACQUIRE), FailureKind::kDataRace));
  EXPECT(failed_as(pass_on(__ATOMIC_RELEASE, __ATOMIC_RELAXED), FailureKind::kDataRace));
}

TEST(fences_make_relaxed_accesses_order) {
  const auto pass_on = [](bool fences, uint32_t marked) {
    return on(2, [=](uint32_t cpu) {
      if (cpu == 0) {
        plain_write(&g.words[1]);
        if (fences) machine->fence(__ATOMIC_RELEASE, 0);
        machine->access(reinterpret_cast<uintptr_t>(&g.words[2]), 8, kWrite | marked, 0);
      } else {
        machine->access(reinterpret_cast<uintptr_t>(&g.words[2]), 8, kRead | marked, 0);
        if (fences) machine->fence(__ATOMIC_ACQUIRE, 0);
        plain_read(&g.words[1]);
      }
    });
  };
  for (const uint32_t marked : {uint32_t{kAtomic}, uint32_t{kMarked}}) {
    EXPECT(passed(pass_on(true, marked)));
    EXPECT(failed_as(pass_on(false, marked), FailureKind::kDataRace));
  }
}

TEST(marked_accesses_do_not_race_themselves) {
  EXPECT(passed(on(2, [](uint32_t) {
    machine->access(reinterpret_cast<uintptr_t>(&g.words[1]), 8, kWrite | kMarked, 0);
    machine->access(reinterpret_cast<uintptr_t>(&g.words[1]), 8, kRead | kMarked, 0);
  })));
}

TEST(preemption_off_orders_the_tasks_of_one_cpu_and_so_do_interrupts_off) {
  const auto write_with = [](std::function<void()> off, std::function<void()> on_again) {
    return on(1, [=](uint32_t) {
      off();
      plain_write(&g.words[1]);
      on_again();
    });
  };
  const auto nothing = [] {};
  const auto preempt_off = [] { machine->preempt_disable(0); };
  const auto preempt_on = [] { machine->preempt_enable(0); };
  const auto irq_off = [] { machine->irq_set(false, 0); };
  const auto irq_on = [] { machine->irq_set(true, 0); };
  EXPECT(failed_as(write_with(nothing, nothing), FailureKind::kPreemptionRace));
  EXPECT(passed(write_with(preempt_off, preempt_on)));
  EXPECT(passed(write_with(irq_off, irq_on)));
  EXPECT(passed(on(1, [=](uint32_t) {  // one task this way, the other that way
    static int turn;
    const bool first = ++turn % 2;
    first ? irq_off() : preempt_off();
    plain_write(&g.words[1]);
    first ? irq_on() : preempt_on();
  })));
}

TEST(only_interrupts_off_orders_a_task_and_a_handler_of_its_cpu) {
  const auto run = [](bool interrupts) {
    return on(1, [=](uint32_t) {
      if (machine->in_handler()) return plain_write(&g.words[1]);
      interrupts ? machine->irq_set(false, 0) : machine->preempt_disable(0);
      plain_write(&g.words[1]);
      interrupts ? machine->irq_set(true, 0) : machine->preempt_enable(0);
    }, {{task(1), 5, interrupt(0, 0)}}, 1);
  };
  EXPECT(failed_as(run(false), FailureKind::kInterruptRace));
  EXPECT(passed(run(true)));
}

TEST(interrupts_off_here_do_not_keep_another_cpu_away) {
  EXPECT(failed_as(on(2, [](uint32_t) {
    machine->irq_set(false, 0);
    plain_write(&g.words[1]);
    machine->irq_set(true, 0);
  }), FailureKind::kDataRace));
}

TEST(a_wake_orders) {
  const Outcome outcome = on(2, [](uint32_t cpu) {
    if (cpu == 0) {
      machine->wait(&g.queue[0], 0);
      plain_read(&g.words[1]);
    } else {
      plain_write(&g.words[1]);
      machine->wake(&g.queue[0], true, 0);
    }
  });
  EXPECT(passed(outcome));
}

TEST(a_semaphore_orders) {
  EXPECT(passed(on(2, [](uint32_t cpu) {
    if (cpu == 0) {
      plain_write(&g.words[1]);
      machine->sem_up(&g.semaphore, 0);
    } else {
      machine->sem_down(&g.semaphore, 0);
      plain_read(&g.words[1]);
    }
  })));
}

TEST(a_worse_failure_counts_and_names_the_race) {
  const Outcome outcome = on(2, [](uint32_t cpu) {
    plain_write(&g.words[1]);
    if (cpu == 1) plain_write(nullptr);
  });
  EXPECT(failed_as(outcome, FailureKind::kNullDereference));
  EXPECT(outcome.failure.evidence.size() == 3);
}

TEST(without_order_checks_nothing_races) {
  Bench bench;
  bench.limits.order_checks = false;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  on_alloc = [](size_t) -> void* {
    plain_write(&g.words[1]);
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  EXPECT(passed(bench.run()));
}

// The clocks of four million ticks do not fit a stamp: memory forgets, and nothing is seen that is not there.
TEST(clocks_start_over_unnoticed) {
  Bench bench;
  bench.limits.order_checks = true;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  static bool locks;
  on_alloc = [](size_t) -> void* {
    for (int i = 0; i < 400; ++i) {
      machine->spin_lock(&g.spin[0], 0);
      plain_write(&g.words[1]);
      machine->spin_unlock(&g.spin[0], 0);
    }
    if (!locks) plain_write(&g.words[1]);
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  locks = true;
  for (int i = 0; i < 12000; ++i) EXPECT(bench.run({}, false).verdict == VerdictKind::kPassed);
  locks = false;
  EXPECT(failed_as(bench.run({}, false), FailureKind::kDataRace));
}


TEST(halves_and_bytes_of_a_word_are_told_apart) {
  struct Case {
    size_t offset, size;
  };
  const std::vector<Case> pieces = {{0, 8}, {0, 4}, {4, 4}, {0, 2}, {2, 2}, {4, 2}, {6, 2}, {3, 1}, {7, 1}, {3, 2}};
  static Case first, second, third;
  for (const Case& a : pieces) {
    for (const Case& b : pieces) {
      for (const Case& before : pieces) {
        first = a, second = b, third = before;
        const Outcome outcome = on(2, [](uint32_t cpu) {
          const auto at = [](const Case& piece) { return reinterpret_cast<char*>(&g.words[1]) + piece.offset; };
          if (cpu == 0) {
            plain_write(at(third), third.size);
            machine->spin_lock(&g.spin[0], 0);  // passes the access before on
            machine->spin_unlock(&g.spin[0], 0);
            plain_write(at(first), first.size);
          } else {
            machine->spin_lock(&g.spin[0], 0);
            plain_read(at(second), second.size);
            machine->spin_unlock(&g.spin[0], 0);
          }
        });
        const bool overlap = first.offset < second.offset + second.size && second.offset < first.offset + first.size;
        EXPECT((outcome.verdict == VerdictKind::kFailed) == overlap);
      }
    }
  }
}

// ---- lock order

namespace {

void both(uint32_t first, std::function<void()> outside = {}, std::function<void()> after = {}) {
  if (outside) outside();
  machine->spin_lock(&g.spin[first], pc(10));
  machine->spin_lock(&g.spin[1 - first], pc(11));
  machine->spin_unlock(&g.spin[1 - first], 0);
  machine->spin_unlock(&g.spin[first], 0);
  if (after) after();
}

}  // namespace

TEST(two_locks_taken_in_both_orders_are_an_inversion_even_one_after_the_other) {
  const Outcome outcome = on(2, [](uint32_t cpu) { both(cpu); });
  EXPECT(failed_as(outcome, FailureKind::kLockOrderInversion));
  EXPECT(outcome.failure.evidence.size() == 2 && outcome.failure.evidence[0].context == task(1));
  EXPECT(passed(on(2, [](uint32_t) { both(0); })));
}

TEST(what_a_third_lock_keeps_apart_is_no_inversion) {
  EXPECT(passed(on(2, [](uint32_t cpu) {
    both(cpu, [] { machine->mutex_lock(&g.mutex[0], 0); }, [] { machine->mutex_unlock(&g.mutex[0], 0); });
  })));
  static int turn;
  turn = 0;
  const auto with_preemption = [](bool off) {
    return on(1, [=](uint32_t) {
      if (off) machine->preempt_disable(0);
      both(static_cast<uint32_t>(turn++ % 2));
      if (off) machine->preempt_enable(0);
    });
  };
  EXPECT(passed(with_preemption(true)));
  EXPECT(failed_as(with_preemption(false), FailureKind::kLockOrderInversion));
}

TEST(one_context_alone_and_trylocks_invert_nothing) {
  EXPECT(passed(on(2, [](uint32_t cpu) {
    if (cpu == 0) {
      both(0);
      both(1);
    }
  })));
  EXPECT(passed(on(2, [](uint32_t cpu) {
    if (cpu == 0) return both(0);
    machine->spin_lock(&g.spin[1], 0);
    if (machine->spin_trylock(&g.spin[0], 0)) machine->spin_unlock(&g.spin[0], 0);
    machine->spin_unlock(&g.spin[1], 0);
  })));
}

TEST(a_race_of_an_earlier_execution_is_no_evidence) {
  Bench bench;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  bench.limits.order_checks = true;
  static bool wild;
  wild = false;
  on_alloc = [](size_t) -> void* {
    plain_write(&g.words[1]);
    if (wild) machine->access(8, 8, kRead, pc(9));
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  EXPECT(failed_as(bench.run(), FailureKind::kDataRace));
  wild = true;
  bench.limits.order_checks = false;
  const Outcome outcome = bench.run();
  EXPECT(failed_as(outcome, FailureKind::kNullDereference));
  EXPECT_EQ(outcome.failure.evidence.size(), 1u);
}
