// SPDX-License-Identifier: Apache-2.0
//
// What the machine's state consists of besides contexts and memory: plain structs, changed by the machine alone.
#pragma once

#include <array>
#include <cstdint>

#include "base/types.h"
#include "task/context.h"

namespace plait {

struct Cpu {
  bool irq_enabled = true;
  int preempt_count = 0;
  Context* running = nullptr;  // a task; null: idle
  std::array<Context*, kTasksMax> queue{};  // runnable tasks, in order
  uint32_t queued = 0;
  std::array<Context*, kLinesMax> handlers{};  // nested, innermost last
  uint32_t depth = 0;
  Context* top() const { return depth ? handlers[depth - 1] : running; }
  void reset() {  // the arrays mean nothing beyond `queued` and `depth`
    irq_enabled = true;
    preempt_count = 0;
    running = nullptr;
    queued = depth = 0;
  }
};

// An interrupt line.
struct Line {
  uint32_t fired = 0;
  bool pending = false;  // raised by a device
  bool active = false;   // its handler runs: a line does not interrupt itself
};

// Where the scenario keeps an object.
struct Slot {
  enum class State : uint8_t { kEmpty, kPending, kFull } state = State::kEmpty;
  uintptr_t object = 0;
  uint32_t size = 0;
  uintptr_t last_freed = 0;  // for double-free
};

struct Worker {
  uint32_t cpu;
  void (*body)(void*);
  void* argument;
  bool in_driver;
};

constexpr int kNoSlot = -1;  // of an operation that keeps nothing

struct SavedJump {
  const void* buffer;
  uintptr_t frame;
  uint32_t slot;
  uint64_t operation;  // serial
};

}  // namespace plait
