// SPDX-License-Identifier: Apache-2.0
//
// Where interrupts and preemption go off and on: what that costs, and what the order checks are told. And the failure
// that a race becomes. A race does
// not end the execution: what it leads to says more, so it counts only where nothing else has failed.
#include <algorithm>

#include "machine/machine.h"

namespace plait {

// Interrupts off keep handlers away from this CPU, and other tasks as well: a task then holds both of its locks.
bool Machine::task_holds_preemption() const {
  return !in_handler() && cpus_[index(current_->cpu)].preempt_count == 0;
}

void Machine::interrupts_go_off() {
  current_->irq_off_since = steps_now();
  if (!order_.on()) return;
  const uint32_t cpu = index(current_->cpu);
  order_.take(order_.interrupts(cpu));
  if (task_holds_preemption()) order_.take(order_.preemption(cpu));
}

void Machine::interrupts_go_on() {
  outcome_.costs.irq_off_worst = std::max(outcome_.costs.irq_off_worst, steps_now() - current_->irq_off_since);
  if (!order_.on()) return;
  const uint32_t cpu = index(current_->cpu);
  order_.give(order_.interrupts(cpu));
  if (task_holds_preemption()) order_.give(order_.preemption(cpu));
}

// Called while the count is 0. With interrupts off it is held already, and for longer.
void Machine::preemption_goes_off() {
  current_->preempt_off_since = steps_now();
  if (!order_.on() || in_handler() || !irq_enabled()) return;
  order_.take(order_.preemption(index(current_->cpu)));
}

void Machine::preemption_goes_on() {
  outcome_.costs.preempt_off_worst = std::max(outcome_.costs.preempt_off_worst, steps_now() - current_->preempt_off_since);
  if (!order_.on() || in_handler() || !irq_enabled()) return;
  order_.give(order_.preemption(index(current_->cpu)));
}

// ---- locks

void Machine::lock_taken(const void* lock, uintptr_t pc, bool waits) {
  if (!limits_.order_checks || mode_ != Mode::kRun) return;
  const auto address = reinterpret_cast<uintptr_t>(lock);
  if (order_.on()) order_.take(order_.of(address));
  const uint32_t at = index(current_->cpu);
  const Cpu& cpu = cpus_[at];
  uint32_t flags = 0;
  if (!cpu.irq_enabled) flags |= 1u << at;
  if (!in_handler() && (!cpu.irq_enabled || cpu.preempt_count != 0)) flags |= 1u << (kCpusMax + at);
  lock_order_.taken(current_->number, at, flags, {address, pc}, waits);
}

void Machine::lock_released(const void* lock) {
  if (!limits_.order_checks || mode_ != Mode::kRun) return;
  const auto address = reinterpret_cast<uintptr_t>(lock);
  if (order_.on()) order_.give(order_.of(address));
  lock_order_.released(current_->number, address);
}

// ---- verdicts

void Machine::judge_order() {
  if (outcome_.verdict != VerdictKind::kFailed && !retry_ && limits_.order_checks) {
    if (const Race* race = order_.race()) {
      keep_failure(race_failure(*race));
    } else {
      if (lock_order_.circle().empty() && !lock_order_.empty()) judge_lock_orders();
      if (!lock_order_.circle().empty()) keep_failure(inversion_failure(lock_order_.circle()));
    }
  }
  order_.stop();
}

// Only in executions that took a lock while they held another and came out well.
void Machine::judge_lock_orders() {
  static const SeenOrders kNone;
  const SeenOrders& others = limits_.lock_orders ? *limits_.lock_orders : kNone;
  LockOrder::Names names;
  names.who = [this](uint32_t context) { return used_[context]->id; };
  names.stable = [this](uintptr_t lock) { return memory_.in_data(lock) || memory_.in_globals(lock); };
  names.edge = [this](const SeenOrder& seen) {
    LockOrder::Edge edge;
    edge.from = {decode(seen.from), seen.from_pc + target_.load_base};
    edge.to = {decode(seen.to), seen.to_pc + target_.load_base};
    edge.cpu = seen.cpu;
    edge.flags = seen.flags;
    for (const uint64_t guard : seen.guards) edge.guards[edge.guard_count++] = decode(guard);
    edge.seen = &seen;
    return edge;
  };
  names.seen = [this](const LockOrder::Edge& edge) {
    SeenOrder seen;
    seen.from = encode(edge.from.lock);
    seen.to = encode(edge.to.lock);
    seen.from_pc = relative(edge.from.pc);
    seen.to_pc = relative(edge.to.pc);
    seen.who = used_[edge.context]->id;
    seen.cpu = edge.cpu;
    seen.flags = edge.flags;
    for (uint32_t i = 0; i < edge.guard_count; ++i) seen.guards.push_back(encode(edge.guards[i]));
    return seen;
  };
  if (!others.empty()) lock_order_.look_across(others, names);
  for (const LockOrder::Edge& edge : lock_order_.circle()) {
    if (edge.seen) outcome_.lock_orders.push_back(*edge.seen);
  }
  outcome_.new_lock_orders = lock_order_.fresh(others, names);
}

Failure Machine::inversion_failure(const LockOrder::Circle& circle) const {
  Failure failure;
  failure.kind = FailureKind::kLockOrderInversion;
  Text message;
  for (const LockOrder::Edge& edge : circle) {
    const ContextId who = edge.seen ? edge.seen->who : used_[edge.context]->id;
    if (!failure.evidence.empty()) message += ", ";
    if (edge.seen) message += "in another execution ";
    message += (edge.seen && who.kind == ContextKind::kTask ? Text("a task") : short_name(who)) +
               (failure.evidence.empty() ? " takes lock " : " took ") + place_name(edge.to.lock) +
               (failure.evidence.empty() ? " while it holds " : " while it held ") + place_name(edge.from.lock);
    Evidence& piece = failure.evidence.emplace_back();
    piece.has_context = !edge.seen;
    piece.context = who;
    if (!edge.seen) piece.cpu = static_cast<int>(edge.cpu);
    piece.pc = relative(edge.to.pc);
    piece.has_address = true;
    piece.address = encode(edge.to.lock);
    piece.what = failure.evidence.size() == 1 ? "takes it"
                 : edge.seen                  ? "another execution took it the other way round"
                                              : "took it the other way round";
  }
  failure.message = message + ": another time each waits for the other";
  return failure;
}

// Whose element of a per-CPU array that the target names it is.
uint32_t Machine::per_cpu_owner(uintptr_t address) const {
  for (const plait_state_name* name = target_.declaration->state_names; name && name->name; ++name) {
    const uintptr_t offset = address - reinterpret_cast<uintptr_t>(name->address);
    if (name->count == PLAIT_CPUS_MAX && offset < uintptr_t{name->stride} * name->count) {
      return static_cast<uint32_t>(offset / name->stride);
    }
  }
  return Race::kNone;
}

Failure Machine::race_failure(const Race& race) const {
  const Context& first = *used_[race.first.context];
  const Context& second = *used_[race.second.context];
  const auto is_handler = [](const Context& context) { return context.id.kind == ContextKind::kIrq; };
  const bool handler = is_handler(first) || is_handler(second);
  Failure failure;
  Text remedy;
  if (race.left_cpu != Race::kNone && per_cpu_owner(race.address) == race.left_cpu) {
    failure.kind = FailureKind::kPerCpuAfterMigration;
    remedy = short_name(second.id) + " read its CPU's number on CPU " + Text::of(race.left_cpu) + " and has left it; preemption off from there on would order them";
  } else if (race.first.cpu != race.second.cpu) {
    failure.kind = FailureKind::kDataRace;
    remedy = "a lock, or a release and an acquire, would";
  } else if (handler) {
    failure.kind = FailureKind::kInterruptRace;
    remedy = "interrupts off in " + short_name(is_handler(first) ? second.id : first.id) + " would";
  } else {
    failure.kind = FailureKind::kPreemptionRace;
    remedy = "preemption off in both would";
  }
  failure.message = short_name(second.id) + (race.second.write ? " writes " : " reads ") + place_name(race.address) +
                    " (" + Text::of(race.size) + (race.size == 1 ? " byte), which " : " bytes), which ") +
                    short_name(first.id) + (race.first.write ? " wrote" : " read") + ", and nothing orders the two; " + remedy;
  add_race(failure, race);
  return failure;
}

// Of a worse failure it is evidence as well: mostly its reason.
void Machine::add_race(Failure& failure, const Race& race) const {
  const bool own = is_race(failure.kind);
  const auto add = [&](const Race::Access& access, std::string_view what) {
    Evidence& piece = failure.evidence.emplace_back();
    const Context& context = *used_[access.context];
    piece.has_context = true;
    piece.context = context.id;
    piece.cpu = static_cast<int>(access.cpu);
    piece.pc = relative(access.pc);
    piece.has_address = true;
    piece.address = encode(race.address);
    piece.what = what;
  };
  add(race.second, own ? (race.second.write ? "writes" : "reads") : race.second.write ? "unordered: writes" : "unordered: reads");
  add(race.first, own ? (race.first.write ? "wrote before" : "read before")
                      : race.first.write ? "unordered: wrote before" : "unordered: read before");
}

}  // namespace plait
