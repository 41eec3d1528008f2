// SPDX-License-Identifier: Apache-2.0
//
// Lock order inversion: one context takes lock B while it holds A, another takes A while it holds B. That such a run came
// out well was luck. The idea is that of Linux's lockdep; here locks are told apart by where they lie, and two orders
// that some third lock keeps apart are no inversion. Interrupts and preemption off on a CPU count as such third locks.
//
// Edges are of one execution. What an execution did itself comes first; only when that is well, and nothing else failed,
// are its edges compared with those that a search has seen in other executions (SeenOrder). A replay is told of them, so
// that it fails again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/types.h"

namespace plait {

// An edge of another execution, of locks that lie at the same place in each: places and code as events have them.
struct SeenOrder {
  uint64_t from = 0, to = 0;
  uint64_t from_pc = 0, to_pc = 0;
  ContextId who;
  uint32_t cpu = 0;
  uint32_t flags = 0;            // as in LockOrder::Edge
  std::vector<uint64_t> guards;  // the other locks held
};
using SeenOrders = std::vector<SeenOrder>;

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
    const SeenOrder* seen = nullptr;  // it is of another execution, and this
  };
  // Edges that make a circle, the one that closed it first.
  using Circle = std::vector<Edge>;

  void begin();
  // `flags` as in Edge. A trylock waits for nobody: it only holds.
  void taken(uint32_t context, uint32_t cpu, uint32_t flags, Held lock, bool waits);
  void released(uint32_t context, uintptr_t lock);
  const Circle& circle() const { return circle_; }  // empty: none

  // What the machine knows: who a context is, and how a seen order lies in memory now.
  struct Names {
    std::function<ContextId(uint32_t)> who;
    std::function<Edge(const SeenOrder&)> edge;
    std::function<bool(uintptr_t)> stable;  // the lock lies there in every execution
    std::function<SeenOrder(const Edge&)> seen;
  };
  bool empty() const { return edges_.empty(); }
  // After an execution that had edges and came out well: a circle with those of others, if there is one.
  void look_across(const SeenOrders& others, const Names& names);
  // Its edges that the others do not have, for later executions.
  SeenOrders fresh(const SeenOrders& others, const Names& names) const;

 private:
  struct Stack {
    std::array<Held, kHeldMax> locks{};
    uint32_t count = 0;
  };
  bool close(Circle& path, uintptr_t wanted, const std::vector<Edge>& edges);
  bool apart(const Edge& one, const Edge& other) const;
  bool same_context(const Edge& one, const Edge& other) const;
  static bool stable(const Edge& edge, const Names& names);

  std::array<Stack, kTasksMax + kLinesMax> held_;
  std::vector<Edge> edges_;
  Circle circle_;
  const Names* names_ = nullptr;  // while looking across
};

}  // namespace plait
