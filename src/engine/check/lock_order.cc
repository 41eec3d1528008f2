// SPDX-License-Identifier: Apache-2.0
#include "check/lock_order.h"

#include <algorithm>

namespace plait {
namespace {

constexpr size_t kEdgesMax = 64;
constexpr size_t kCircleMax = 4;  // longer ones need more contexts than meet

bool same(const LockOrder::Edge& one, const LockOrder::Edge& other) {
  return one.from.lock == other.from.lock && one.to.lock == other.to.lock && one.context == other.context &&
         one.flags == other.flags && one.guard_count == other.guard_count && one.guards == other.guards;
}

}  // namespace

void LockOrder::begin() {
  for (Stack& stack : held_) stack.count = 0;
  edges_.clear();
  circle_.clear();
}

// One context cannot wait for itself. What a task did in another execution another task could do in this one; a worker
// and a line are the only ones of their kind.
bool LockOrder::same_context(const Edge& one, const Edge& other) const {
  if (!one.seen && !other.seen) return one.context == other.context;
  const ContextId who = one.seen ? one.seen->who : names_->who(one.context);
  const ContextId than = other.seen ? other.seen->who : names_->who(other.context);
  return who.kind != ContextKind::kTask && who.kind == than.kind && who.number == than.number;
}

// True when the two cannot keep each other waiting: they never happen at once.
bool LockOrder::apart(const Edge& one, const Edge& other) const {
  if (same_context(one, other) || (one.flags & other.flags) != 0) return true;
  const auto end = one.guards.begin() + one.guard_count;
  return std::any_of(one.guards.begin(), end, [&](uintptr_t guard) {
    const auto other_end = other.guards.begin() + other.guard_count;
    return std::find(other.guards.begin(), other_end, guard) != other_end;
  });
}

// Extends the path, which ends in a lock, until it comes to the wanted one.
bool LockOrder::close(Circle& path, uintptr_t wanted, const std::vector<Edge>& edges) {
  if (path.back().to.lock == wanted) return true;
  if (path.size() == kCircleMax) return false;
  for (const Edge& edge : edges) {
    if (edge.from.lock != path.back().to.lock) continue;
    if (std::any_of(path.begin(), path.end(), [&](const Edge& other) { return apart(edge, other); })) continue;
    path.push_back(edge);
    if (close(path, wanted, edges)) return true;
    path.pop_back();
  }
  return false;
}

void LockOrder::taken(uint32_t context, uint32_t cpu, uint32_t flags, Held lock, bool waits) {
  Stack& stack = held_[context];
  for (uint32_t i = 0; waits && circle_.empty() && i < stack.count; ++i) {
    if (stack.locks[i].lock == lock.lock) continue;  // a recursive one
    Edge edge;
    edge.from = stack.locks[i];
    edge.to = lock;
    edge.context = context;
    edge.cpu = cpu;
    edge.flags = flags;
    for (uint32_t k = 0; k < stack.count; ++k) {
      if (k != i) edge.guards[edge.guard_count++] = stack.locks[k].lock;
    }
    if (std::any_of(edges_.begin(), edges_.end(), [&](const Edge& known) { return same(known, edge); })) continue;
    Circle path{edge};
    if (close(path, edge.from.lock, edges_)) circle_ = std::move(path);
    if (edges_.size() < kEdgesMax) edges_.push_back(edge);
  }
  if (stack.count < kHeldMax) stack.locks[stack.count++] = lock;
}

void LockOrder::released(uint32_t context, uintptr_t lock) {
  Stack& stack = held_[context];
  for (uint32_t i = stack.count; i-- > 0;) {
    if (stack.locks[i].lock != lock) continue;
    std::copy(stack.locks.begin() + i + 1, stack.locks.begin() + stack.count, stack.locks.begin() + i);
    --stack.count;
    return;
  }
}

// ---- across executions

bool LockOrder::stable(const Edge& edge, const Names& names) {
  const auto end = edge.guards.begin() + edge.guard_count;
  return names.stable(edge.from.lock) && names.stable(edge.to.lock) && std::all_of(edge.guards.begin(), end, names.stable);
}

void LockOrder::look_across(const SeenOrders& others, const Names& names) {
  names_ = &names;
  std::vector<Edge> edges;
  for (const SeenOrder& other : others) edges.push_back(names.edge(other));
  for (const Edge& edge : edges_) {
    if (stable(edge, names)) edges.push_back(edge);
  }
  for (size_t i = others.size(); i < edges.size() && circle_.empty(); ++i) {
    Circle path{edges[i]};
    if (close(path, edges[i].from.lock, edges)) circle_ = std::move(path);
  }
}

SeenOrders LockOrder::fresh(const SeenOrders& others, const Names& names) const {
  SeenOrders found;
  for (const Edge& edge : edges_) {
    if (!stable(edge, names)) continue;
    SeenOrder order = names.seen(edge);
    if (order.who.kind == ContextKind::kTask) order.who.number = 0;  // whichever it was
    order.who.activation = 0;
    const auto known = [&](const SeenOrder& other) {
      return other.from == order.from && other.to == order.to && other.who == order.who && other.flags == order.flags &&
             other.guards == order.guards;
    };
    if (std::any_of(others.begin(), others.end(), known) || std::any_of(found.begin(), found.end(), known)) continue;
    found.push_back(std::move(order));
  }
  return found;
}

}  // namespace plait
