// SPDX-License-Identifier: Apache-2.0
//
// What an execution is asked and what it comes to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/types.h"
#include "check/costs.h"
#include "check/failure.h"
#include "check/lock_order.h"
#include "machine/closing.h"

namespace plait {

struct Limits {
  uint32_t steps = 200000;           // visible operations of an execution, then it gives up
  uint32_t operation_steps = 20000;  // of one allocator operation, then it is a livelock
  uint32_t hang_ms = 100;            // CPU time without any visible operation, then it is a livelock
  bool order_checks = true;          // races fail an execution that has not failed otherwise
  uint64_t shared_stacks = 0;        // bit per context slot: its stack accesses are visible (Outcome returns it)
  std::shared_ptr<const SeenOrders> lock_orders;  // of other executions; null: none
};

struct RunOptions {
  Limits limits;
  bool record = false;  // trace hash (every step goes through the engine)
  bool events = false;  // and keep the events
  bool judge = true;    // what is left when nothing moves any more; false: somebody will go on from there
  const Closing* closing = nullptr;  // windows to keep closed
  bool exact = false;   // ask also where a context begins with what another, which has finished, left of its fuel
};

struct Outcome {
  VerdictKind verdict = VerdictKind::kPassed;
  GiveUp give_up = GiveUp::kStepLimit;
  Failure failure;
  uint64_t steps = 0;
  uint64_t accesses = 0;
  uint32_t skipped_operations = 0;
  uint32_t requests = 0;       // that went to a driver
  uint64_t behaviour = 0;      // hash of who was cut where, and what operations returned
  uint64_t cause = 0;          // hash of the failure's kind and places: equal for repeats of one failure
  uint64_t cut = 0;            // hash of where the last deviation cut whom
  uint64_t shared_stacks = 0;  // to be handed to Limits in a replay
  SeenOrders lock_orders;      // the same: those that the failure rests on
  SeenOrders new_lock_orders;  // that the limits did not have
  Costs costs;                 // of what was run of it
};

}  // namespace plait
