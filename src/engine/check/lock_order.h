// SPDX-License-Identifier: Apache-2.0
//
// Lock order inversion: one context takes lock B while it holds A, another takes A while it holds B. That such a run came
// out well was luck. The idea is that of Linux's lockdep; here locks are told apart by where they lie, and two orders
// that some third lock keeps apart are no inversion. Interrupts and preemption off on a CPU count as such third locks.
//
// Edges are of one execution: only what it did itself can fail it, so that it fails again when it is replayed.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace plait {

class LockOrder {
 public:
  static constexpr uint32_t kHeldMax = 8;  // what is taken on top of so many is not looked at

  struct Held {
    uintptr_t lock = 0;
    uintptr_t pc = 0;
  };
  // `to` was taken while `from` was held.
  struct Edge {
    Held from, to;
    uint32_t context = 0;
    uint32_t cpu = 0;
    uint32_t flags = 0;  // of CPUs: interrupts off in the low bits, preemption off above
    std::array<uintptr_t, kHeldMax> guards{};  // the other locks held
    uint32_t guard_count = 0;
  };
  // Edges that make a circle, the one that closed it first.
  using Circle = std::vector<Edge>;

  void begin();
  // `flags` as in Edge. A trylock waits for nobody: it only holds.
  void taken(uint32_t context, uint32_t cpu, uint32_t flags, Held lock, bool waits);
  void released(uint32_t context, uintptr_t lock);
  const Circle& circle() const { return circle_; }  // empty: none

 private:
  struct Stack {
    std::array<Held, kHeldMax> locks{};
    uint32_t count = 0;
  };
  bool close(Circle& path, uintptr_t wanted);
  static bool apart(const Edge& one, const Edge& other);

  std::array<Stack, kTasksMax + kLinesMax> held_;
  std::vector<Edge> edges_;
  Circle circle_;
};

}  // namespace plait
