// SPDX-License-Identifier: Apache-2.0
//
// Limits to and from Python, with what a search has learnt and a replay has to know.
#include <nanobind/stl/string.h>

#include "base/names.h"
#include "bind/convert.h"

namespace nb = nanobind;

namespace plait {
namespace {

[[noreturn]] void fail(const std::string& message) { throw nb::value_error(message.c_str()); }

std::string shown(nb::handle value) { return std::string(nb::repr(value).c_str()).substr(0, 60); }

template <typename T>
T as(nb::handle value, const char* what) {
  T result{};
  if (!nb::try_cast(value, result)) fail(std::string(what) + " is " + shown(value) + ", of a wrong type or out of range");
  return result;
}

template <typename T>
T field_or(const nb::dict& object, const char* key, T fallback) {
  if (!object.contains(key) || object[key].is_none()) return fallback;
  return as<T>(object[key], key);
}

SeenOrder order_from(const nb::dict& object) {
  SeenOrder order;
  order.from = field_or<uint64_t>(object, "held", 0);
  order.to = field_or<uint64_t>(object, "taken", 0);
  order.from_pc = field_or<uint64_t>(object, "held_pc", 0);
  order.to_pc = field_or<uint64_t>(object, "taken_pc", 0);
  if (!parse(field_or<std::string>(object, "context", ""), order.who)) fail("a lock order is by no context");
  order.cpu = field_or<uint8_t>(object, "cpu", 0);
  order.flags = field_or<uint32_t>(object, "off", 0);
  for (nb::handle guard : field_or<nb::list>(object, "guards", nb::list())) {
    order.guards.push_back(as<uint64_t>(guard, "a guard"));
  }
  if (order.guards.size() > LockOrder::kHeldMax) fail("a lock order has more guards than are looked at");
  return order;
}

nb::dict to_python(const SeenOrder& order) {
  nb::dict object;
  nb::list guards;
  for (const uint64_t guard : order.guards) guards.append(guard);
  object["held"] = order.from;
  object["taken"] = order.to;
  object["held_pc"] = order.from_pc;
  object["taken_pc"] = order.to_pc;
  object["context"] = std::string(full_name(order.who));
  object["cpu"] = order.cpu;
  object["off"] = order.flags;
  object["guards"] = guards;
  return object;
}

}  // namespace

Limits limits_from(nb::handle handle) {
  Limits limits;
  if (handle.is_none()) return limits;
  const auto object = as<nb::dict>(handle, "limits");
  limits.steps = field_or<uint32_t>(object, "steps", limits.steps);
  limits.operation_steps = field_or<uint32_t>(object, "operation_steps", limits.operation_steps);
  limits.hang_ms = field_or<uint32_t>(object, "hang_ms", limits.hang_ms);
  limits.shared_stacks = field_or<uint64_t>(object, "shared_stacks", limits.shared_stacks);
  limits.order_checks = field_or<bool>(object, "order_checks", limits.order_checks);
  SeenOrders orders;
  for (nb::handle order : field_or<nb::list>(object, "lock_orders", nb::list())) {
    orders.push_back(order_from(as<nb::dict>(order, "a lock order")));
  }
  if (!orders.empty()) limits.lock_orders = std::make_shared<SeenOrders>(std::move(orders));
  return limits;
}

nb::dict to_python(const Limits& limits, const Outcome& learnt) {
  nb::dict object;
  nb::list orders;
  for (const SeenOrder& order : learnt.lock_orders) orders.append(to_python(order));
  object["steps"] = limits.steps;
  object["operation_steps"] = limits.operation_steps;
  object["hang_ms"] = limits.hang_ms;
  object["shared_stacks"] = learnt.shared_stacks;
  object["order_checks"] = limits.order_checks;
  object["lock_orders"] = orders;
  return object;
}

}  // namespace plait
