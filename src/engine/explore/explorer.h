// SPDX-License-Identifier: Apache-2.0
//
// Exhaustive search of one scenario: every class of equivalent executions, by dynamic partial-order reduction. From each
// execution that was run, each race is turned round: what does not hang on the earlier event is kept, then comes the later
// one, and the rest follows by defaults. What is then still to be done is the closure of that.
//
// A plan is a set of events, not an order of them; linearizer.h looks for orders in which it can be run. An execution is
// started only when none of those before contains what its plan wants: so each is of a new class, but for plans that turn
// out otherwise (optimal DPOR in the sense of Abdulla et al., 2014; the memory of events is that of unfolding-based
// reduction, Rodríguez et al., 2015). Interrupts and migrations are events like others.
//
// A bound on preemptions is one on orders: of what a plan wants, as much is kept as has an order within the bound, and as
// what follows by defaults preempts nobody, its execution is within it too. What lies between two classes may be beyond the
// bound, so each two events that conflict are turned round, not only those between which there is nothing: more than the
// conservative switches of bounded partial-order reduction (Coons, Musuvathi, McKinley 2013).
//
// Sound for what machine.md calls visible; order of allocations in a target's private heap is not, and an invariant
// that a target asks to be held at every step is looked at only along the orders that are run.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "explore/guide.h"
#include "explore/linearizer.h"
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
  uint64_t states = 20'000;     // gone through for orders of one
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
  bool too_many() const { return too_many_ || orders_missed_; }  // plans at a time, or states for one
  const ExplorerCounters& counters() const { return counters_; }
  const std::unordered_set<uint64_t>& classes() const { return classes_; }

 private:
  static constexpr uint32_t kNone = Causality::kNone;
  struct Item {
    Plan plan;
    std::array<uint64_t, Causality::kProcessesMax> last{};  // event of each process at its end; 0: none
    uint64_t options = 0;  // which interrupts and migrations it has
  };

  void start();
  void run(const Plan& plan, std::vector<Finding>& findings);
  bool within(const Spent& spent) const;
  void keep(const Outcome& outcome, std::vector<Finding>& findings);
  void remember();
  bool contained(const Item& item) const;
  void try_everything(size_t from);
  bool affordable(uint32_t cut, const Decision& decision) const;
  static uint64_t options(const Plan& plan);

  // plans.cc
  void expand(bool failed);
  void reverse(uint32_t first, uint32_t second);
  bool plan_without(uint32_t first, uint32_t second);
  void add_options();
  void add_option(const Decision& option, uint16_t nth, uint32_t before);
  bool affordable(const Decision& option) const;
  void push_all(const Decision& option, const std::pair<uint8_t, uint64_t>& event, const Causality::Clock& past);
  void move_holders();
  void let_others_go_on();
  void let_others_go_before();
  void go_on_instead(uint32_t number);
  void push(const std::vector<uint32_t>& order, uint32_t what, const Decision& option, const std::pair<uint8_t, uint64_t>& event);
  bool hangs_on(uint32_t number, uint32_t what) const;
  uint64_t sum_of_plan() const;
  void note_linearizer();

  Machine& machine_;
  Scenario scenario_;
  Bounds bounds_;
  Limits limits_;
  bool stop_on_failure_;
  Guide guide_;
  Linearizer linearizer_;
  std::vector<Item> open_;
  size_t happened_ = 0;  // decisions of the last execution
  uint32_t failed_ = kNone;  // the step that failed, which ended it
  std::vector<bool> in_plan_;
  std::vector<uint32_t> conflicts_;
  std::unordered_set<uint64_t> wanted_;  // plans that an order was looked for, and
  std::unordered_set<uint64_t> pushed_;  // plans that one was found for
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
  bool orders_missed_ = false;
};

}  // namespace plait
