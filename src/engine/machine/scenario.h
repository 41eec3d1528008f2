// SPDX-License-Identifier: Apache-2.0
//
// What happens in an execution: the machine's size and the programs of tasks and interrupt lines.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"

namespace plait {

enum class OperationKind : uint8_t { kAlloc, kFree, kDoubleFree, kForeignFree, kInteriorFree };

// A slot holds at most one object. alloc into a slot that is not empty, and free of one that holds nothing, are
// skipped: so every list of operations means something, whatever was cut out of it.
struct Operation {
  OperationKind kind = OperationKind::kAlloc;
  uint8_t slot = 0;
  uint32_t size = 0;  // bytes; alloc only
  bool operator==(const Operation&) const = default;
};

struct TaskSpec {
  CpuId cpu{};
  bool pinned = false;
  std::vector<Operation> operations;
  bool operator==(const TaskSpec&) const = default;
};

struct LineSpec {
  static constexpr int kAnyCpu = -1;
  int cpu = kAnyCpu;
  uint32_t fires = 1;  // how often it may fire
  std::vector<Operation> operations;
  bool operator==(const LineSpec&) const = default;
};

struct Scenario {
  uint32_t cpus = 1;
  uint32_t page_size = 512;  // bytes
  uint32_t pages = 64;       // that the supply has
  std::vector<uint64_t> knobs;  // values, in the order of the target's declaration
  std::vector<TaskSpec> tasks;
  std::vector<LineSpec> lines;
  bool operator==(const Scenario&) const = default;
};

}  // namespace plait
