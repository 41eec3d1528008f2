// SPDX-License-Identifier: Apache-2.0
//
// What an execution cost, because a repair can be right and still bad. Lengths are in visible operations of the context
// that caused them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace plait {

struct Costs {
  uint64_t operations = 0;        // allocs and frees
  uint64_t steps = 0;             // in them
  uint64_t steps_worst = 0;       // in one
  uint64_t irq_off_worst = 0;     // longest stretch that a context had switched interrupts off; not the length of handlers
  uint64_t preempt_off_worst = 0; // longest stretch of a task with preemption off
  uint64_t spins = 0;             // turns of a spin-wait, and spin locks found taken
  uint64_t waits = 0;             // times that a task of the scenario was put to sleep
  uint64_t transfers = 0;         // frees on another CPU than the allocation's
  uint64_t deferred_idle = 0;     // objects still queued when all is quiet
  uint64_t pages_peak = 0;        // held at once
  uint64_t pages_idle = 0;        // held when all is quiet

  void operation(uint64_t length) {
    ++operations;
    steps += length;
    steps_worst = std::max(steps_worst, length);
  }
};

// Over the executions of a search that came to a good end: sums of what is counted, the worst of what has a length.
struct CostSummary {
  uint64_t executions = 0;
  Costs total;  // of lengths and levels: the worst

  void add(const Costs& costs) {
    ++executions;
    total.operations += costs.operations;
    total.steps += costs.steps;
    total.spins += costs.spins;
    total.waits += costs.waits;
    total.transfers += costs.transfers;
    const auto worst = [&](uint64_t Costs::* field) { total.*field = std::max(total.*field, costs.*field); };
    worst(&Costs::steps_worst);
    worst(&Costs::irq_off_worst);
    worst(&Costs::preempt_off_worst);
    worst(&Costs::deferred_idle);
    worst(&Costs::pages_peak);
    worst(&Costs::pages_idle);
  }
};

}  // namespace plait
