// SPDX-License-Identifier: Apache-2.0
//
// A context: what may run on a CPU, a task (or worker) or an interrupt handler. Its code runs on a fiber and announces
// each visible operation before it happens; while others run, the announced operation waits in `pending`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "fiber/fiber.h"
#include "trace/event.h"

namespace plait {

enum class ContextState : uint8_t { kUnused, kReady, kBlocked, kFinished };
enum class BlockedOn : uint8_t { kNothing, kWaitQueue, kMutex, kSemaphore };

struct PendingStep {
  EventKind kind = EventKind::kSkip;
  uint32_t access = 0;  // AccessKind bits
  uintptr_t address = 0;
  size_t size = 0;
  uintptr_t pc = 0;
};

// What a spinning context read since it last relaxed; it may go on when one of the words has changed.
struct SpinWatch {
  struct Read {
    uintptr_t address;
    uint32_t size;
    uint64_t value;
  };
  static constexpr uint32_t kReadsMax = 8;
  bool active = false;    // since the first relax of an operation
  bool frozen = false;    // relaxed and not read again yet: the reads are what it waits for
  bool overflow = false;  // more words than fit: any write may be the one
  uint32_t count = 0;
  std::array<Read, kReadsMax> reads{};
};

struct Context {
  ContextId id;
  uint8_t slot = 0;    // in the machine's table; also its stack
  uint8_t number = 0;  // among the contexts that the scenario can have
  ContextState state = ContextState::kUnused;
  CpuId cpu{};
  bool pinned = true;
  Context* interrupted = nullptr;  // of a handler: the task below it, or below those that it interrupted
  Fiber fiber;

  uint32_t steps = 0;            // visible operations done
  uint32_t operation_steps = 0;  // of them since the current operation began
  PendingStep pending;

  BlockedOn blocked_on = BlockedOn::kNothing;
  uintptr_t waits_for = 0;  // address of the wait object
  uintptr_t lets_go = 0;    // mutex that its pending wait releases
  uint64_t wait_order = 0;  // first come, first woken
  bool prepared = false;    // between wait_prepare and commit
  uintptr_t prepared_on = 0;
  uint64_t prepared_order = 0;
  bool woken = false;       // a wake came since

  bool spinning = false;
  uint64_t spin_writes = 0;  // Hot::writes when it began to spin
  uint64_t spin_turn = 0;    // order of its last turn as one that spins
  uint64_t slice_writes = 0; // Hot::writes when its slice began
  SpinWatch watch;

  uint32_t windows = 0;       // a bit for each window that it is in (machine/closing.h)
  uint32_t windows_left = 0;  // of them: with its last step

  uint64_t irq_off_since = 0;  // `steps` when interrupts went off
  uint64_t preempt_off_since = 0;

  uint32_t locks_held = 0;
  // As the current operation found things; it must leave them so.
  bool irq_at_call = true;
  int preempt_at_call = 0;
  uint32_t locks_at_call = 0;
  // Workers.
  void (*worker_body)(void*) = nullptr;
  void* worker_argument = nullptr;
  // The driver's code, not the allocator's, and what that may touch is another matter.
  bool in_driver = false;
  bool object_refused = false;  // the allocator said no during this request

  // The scenario operation in progress.
  int operation_slot = -1;
  uint64_t operation = 0;     // serial number; 0: none yet
  bool page_refused = false;  // the supply said no during this operation
  uintptr_t throw_pc = 0;     // of the last throw in it
};

}  // namespace plait
