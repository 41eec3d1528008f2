// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search of one scenario: every class of equivalent executions, by dynamic partial-order reduction. From each
// execution that was run, each race is turned round: what the later event needs is kept, the earlier event and what
// hangs on it are left out, and the rest follows by defaults. What is then still to be done is the closure of that.
//
// Without a bound on preemptions an execution is started only when none of those before contains what its plan wants:
// so each is of a new class (optimal DPOR in the sense of Abdulla et al., 2014; the memory of events is that of
// unfolding-based reduction, Rodríguez et al., 2015). Interrupts and migrations are events like others, so bounds on
// them take nothing from this.
//
// A bound on preemptions is one on the order in which a class is executed, so there orders are followed, not classes:
// bounded partial-order reduction (Coons, Musuvathi, McKinley 2013) adds, for each race, the switch at the start of the
// stretch in which the earlier event lies, which may be cheaper.
//
// Sound for what machine.md calls visible; order of allocations in a target's private heap is not, and an invariant
// that a target asks to be held at every step is looked at only along the orders that are run.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "explore/guide.h"
#include "machine/machine.h"
#include "search/search.h"

namespace plait {

struct Bounds {
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint32_t preemptions = kNone;
  uint32_t interrupts = kNone;
  uint32_t migrations = 0;
  uint32_t deviations = kNone;  // with `reduce` it says nothing
  bool reduce = true;           // false: every order, equivalent or not
  uint64_t open = 4'000'000;    // plans kept at a time
};

struct ExplorerCounters {
  uint64_t executions = 0;
  uint64_t classes = 0;
  uint64_t repeated = 0;  // executions of a class that was known
  uint64_t beyond = 0;    // that turned out to be over the bound; of them nothing was kept
  uint64_t steps = 0;
  uint64_t gave_up = 0;
  uint64_t failures = 0;
  uint64_t open = 0;  // plans not tried yet
  double seconds = 0;
};

class Explorer {
 public:
  Explorer(Machine& machine, Scenario scenario, Bounds bounds, Limits limits, bool stop_on_failure);
  // Goes on for about so long, and until there have been so many executions in all; the first failures of each cause. The
  // target must have been set.
  std::vector<Finding> step(double seconds, uint64_t executions_max);
  bool done() const { return done_; }
  bool complete() const { return done_ && complete_; }
  bool too_large() const { return guide_.too_large(); }
  bool too_many() const { return too_many_; }  // plans at a time
  const ExplorerCounters& counters() const { return counters_; }
  const std::unordered_set<uint64_t>& classes() const { return classes_; }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  // Of an event of a plan: its process is then in the middle of something that keeps tasks, or all others, out of its CPU.
  enum class Late : uint8_t { kNo, kForTasks, kForAll };
  // Where in its order a plan has the migrations, which only steps that depend on a task's CPU see.
  enum class Moved : uint8_t { kAsTaken, kEarly, kLate };
  // Of a plan, while it is put in order: how much is left, and of each process how much there is and how much is done. Of
  // each CPU, what is left there of tasks and handlers that could be kept out; of late ones by tasks, on top of whom late
  // handlers come; and handlers that are there.
  struct ToDo {
    uint32_t left = 0;
    size_t late = 0;
    std::array<uint32_t, Causality::kProcessesMax> total{}, done{};
    std::array<uint32_t, kCpusMax> tasks{}, handlers{}, below{}, active{};
  };
  struct Item {
    Plan plan;
    std::array<uint64_t, Causality::kProcessesMax> last{};  // event of each process at its end; 0: none
    uint64_t options = 0;  // which interrupts and migrations it has
  };

  bool bounded() const { return bounds_.preemptions != Bounds::kNone; }
  void start();
  void run(const Plan& plan, std::vector<Finding>& findings);
  bool within(const Spent& spent) const;
  void keep(const Outcome& outcome, std::vector<Finding>& findings);
  void remember();
  bool contained(const Item& item) const;
  void expand();
  void turn(const Causality::Race& race);
  void turn_at(uint32_t cut, uint32_t second, const Causality::Clock& past);
  void reverse(const Causality::Race& race);
  bool plan_without(uint32_t first, uint32_t second);
  bool find_late(uint32_t second);
  void place_moves(Moved moved);
  bool put_in_order(uint32_t second, Moved moved);
  bool put_in_order(uint32_t second, Moved moved, bool late_last);
  bool is_interrupt(uint32_t number) const;
  bool on_cpu_of_task(uint32_t number) const;
  bool waits_for_task(uint32_t number, const ToDo& todo) const;
  ToDo all_to_do() const;
  void take(uint32_t number, ToDo& todo) const;
  bool ready(uint32_t number, const Causality::Clock& past, const ToDo& todo) const;
  bool leave_something(uint32_t second);
  bool handler_at_work(size_t done) const;
  bool of_handler(uint32_t number) const;
  bool may_run(uint32_t number, std::array<uint32_t, kCpusMax>& held) const;
  void switch_at(uint32_t cut, const Decision& to);
  void switch_to_blocker(uint32_t cut, const Decision& to);
  void try_options();
  void try_before_the_end();
  void let_others_go_on();
  void leave_last(uint32_t last);
  void clear_cpu(uint32_t begin);
  void try_everything(size_t from);
  bool affordable(uint32_t cut, const Decision& decision) const;
  uint64_t order_matters(uint64_t sum, uint32_t cut, const Plan& plan) const;
  static uint64_t options(const Plan& plan);
  void push(Item item, uint64_t sum, uint32_t cut, const Decision& option, const std::pair<uint8_t, uint64_t>& event);
  void make_room(uint32_t cut);
  bool move_away(uint32_t cut, uint32_t next);
  void plan_order(uint32_t cut);

  Machine& machine_;
  Scenario scenario_;
  Bounds bounds_;
  Limits limits_;
  bool stop_on_failure_;
  Guide guide_;
  std::vector<Item> open_;
  size_t happened_ = 0;  // decisions of the last execution
  std::vector<bool> in_plan_;
  std::vector<Late> late_;
  std::vector<uint8_t> cpu_;      // of the decisions of a plan in the making
  std::vector<uint32_t> behind_;  // which decision each of them has to follow beside what its past has; kNone
  std::vector<uint32_t> order_;  // of a plan in the making: numbers of decisions
  std::unordered_set<uint64_t> pushed_;
  std::unordered_set<uint64_t> classes_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> executions_of_;  // event → executions, in order
  std::vector<uint64_t> options_of_;  // of each execution
  std::unordered_map<uint64_t, uint64_t> causes_;
  ExplorerCounters counters_;
  uint64_t load_ = 0;
  bool started_ = false;
  bool done_ = false;
  bool complete_ = true;
  bool too_many_ = false;
};

}  // namespace plait
