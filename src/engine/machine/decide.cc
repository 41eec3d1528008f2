// SPDX-License-Identifier: Apache-2.0
//
// Decisions: which moves are enabled, which of them is the default, and what a move does. The enabled moves and the
// default follow machine.md, "Decisions", with two additions that it leaves open: when nothing else can move, a task
// that waits in the queue of a CPU whose running task cannot go on is switched in (a timer tick would), and after that
// a spinning context goes on.
#include <array>

#include "base/check.h"
#include "machine/machine.h"

namespace plait {
namespace {

Move device_move(uint32_t device, uint8_t choice) {
  const auto number = static_cast<uint8_t>(device);
  return {MoveKind::kDevice, {}, number, choice, {ContextKind::kDevice, number, 0}};
}

}  // namespace

bool Machine::executable(const Context& context) const {
  if (context.pending.kind != EventKind::kSpinLock) return true;
  return reinterpret_cast<const plait_spinlock*>(context.pending.address)->holder == 0;
}

// A question changes nothing: fast and recorded executions ask it at different times.
bool Machine::can_go(const Context& context) const {
  return context.state == ContextState::kReady && executable(context) && (!context.spinning || spin_over(context));
}

bool Machine::can_preempt(const Cpu& cpu) const {
  return cpu.irq_enabled && cpu.preempt_count == 0 && cpu.depth == 0 && cpu.running != nullptr &&
         !in_window(cpu.running, kNoPreemption | kNoInterrupts | kNoOthers);
}

bool Machine::line_may_fire(uint32_t line) const {
  return !lines_[line].active && (lines_[line].pending || lines_[line].fired < scenario_.lines[line].fires);
}

bool Machine::accepts(uint32_t cpu, uint32_t line) const {
  const int wanted = scenario_.lines[line].cpu;
  return cpus_[cpu].irq_enabled && !in_window(cpus_[cpu].top(), kNoInterrupts) && !kept_away(cpu) && (wanted == LineSpec::kAnyCpu || static_cast<uint32_t>(wanted) == cpu);
}

Move Machine::go_move(uint32_t cpu) const {
  return {MoveKind::kGo, CpuId{static_cast<uint8_t>(cpu)}, 0, 0, cpus_[cpu].top()->id};
}

// Whether the default is that whoever took the last step takes the next.
bool Machine::goes_on(const Context& last) const {
  if (last.id.kind == ContextKind::kDevice) return default_.kind == MoveKind::kDevice && default_.number == last.id.number;
  return default_.kind == MoveKind::kGo && cpus_[index(default_.cpu)].top() == &last;
}

// A device goes on while it has work, as a context does; then what ran before it.
bool Machine::default_move(Move& move) {
  const Context* ran = last_;
  if (ran && ran->id.kind == ContextKind::kDevice) {
    move = device_move(ran->id.number, 0);
    if (devices_[move.number]->enabled()) return true;
    ran = ran->interrupted;
  }
  if (ran) {
    const auto cpu = static_cast<uint32_t>(ran->cpu);
    Context* top = cpus_[cpu].top();
    const bool returned = ran->id.kind == ContextKind::kIrq && ran->state == ContextState::kFinished;
    if (top && (top == ran || returned) && can_go(*top)) {
      move = go_move(cpu);
      return true;
    }
  }
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    Context* top = cpus_[cpu].top();
    if (top && can_go(*top) && !kept_away(cpu)) {
      move = go_move(cpu);
      return true;
    }
  }
  for (uint32_t line = 0; line < scenario_.lines.size(); ++line) {
    for (uint32_t cpu = 0; lines_[line].pending && cpu < scenario_.cpus; ++cpu) {
      if (!line_may_fire(line) || !accepts(cpu, line)) continue;
      const ContextId handler{ContextKind::kIrq, static_cast<uint8_t>(line), static_cast<uint16_t>(lines_[line].fired)};
      move = {MoveKind::kInterrupt, CpuId{static_cast<uint8_t>(cpu)}, static_cast<uint8_t>(line), 0, handler};
      return true;
    }
  }
  for (uint32_t device = 0; device < devices_.size(); ++device) {
    if (!devices_[device]->enabled()) continue;
    move = device_move(device, 0);
    return true;
  }
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    for (uint32_t i = 0; can_preempt(cpus_[cpu]) && i < cpus_[cpu].queued; ++i) {
      if (!can_go(*cpus_[cpu].queue[i])) continue;
      move = {MoveKind::kPreempt, CpuId{static_cast<uint8_t>(cpu)}, 0, 0, cpus_[cpu].queue[i]->id};
      return true;
    }
  }
  return default_spinner(move);
}

// Nothing else can move: the contexts that spin go on in turn, because what one waits for another may do.
bool Machine::default_spinner(Move& move) const {
  const Context* next = nullptr;
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    const Context* top = cpus_[cpu].top();
    if (top && top->spinning && executable(*top) && (!next || top->spin_turn < next->spin_turn)) next = top;
  }
  if (next) move = go_move(index(next->cpu));
  return next != nullptr;
}

bool Machine::limited() const {
  if (closing_) return true;
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    const Cpu& state = cpus_[cpu];
    if (!state.irq_enabled && (!scenario_.lines.empty() || state.queued)) return true;
    if (state.preempt_count != 0 && (state.queued || scenario_.cpus > 1)) return true;
  }
  return false;
}

// The default first, then the others in a fixed order.
std::span<const Move> Machine::all() {
  if (!enabled_.empty()) return enabled_;
  enabled_.push_back(default_);
  const auto add = [&](const Move& move) {
    if (move != default_) enabled_.push_back(move);
  };
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    Context* top = cpus_[cpu].top();
    if (top && can_go(*top) && !kept_away(cpu)) add(go_move(cpu));
  }
  for (uint32_t line = 0; line < scenario_.lines.size(); ++line) {
    if (!line_may_fire(line)) continue;
    const ContextId handler{ContextKind::kIrq, static_cast<uint8_t>(line), static_cast<uint16_t>(lines_[line].fired)};
    for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
      if (accepts(cpu, line)) add({MoveKind::kInterrupt, CpuId{static_cast<uint8_t>(cpu)}, static_cast<uint8_t>(line), 0, handler});
    }
  }
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
    const Cpu& state = cpus_[cpu];
    for (uint32_t i = 0; can_preempt(state) && !kept_away(cpu) && i < state.queued; ++i) {
      if (can_go(*state.queue[i])) add({MoveKind::kPreempt, CpuId{static_cast<uint8_t>(cpu)}, 0, 0, state.queue[i]->id});
    }
  }
  for (uint32_t slot = 1; scenario_.cpus > 1 && slot <= task_count_; ++slot) {
    const Context& task = contexts_[slot];
    const Cpu& home = cpus_[static_cast<uint32_t>(task.cpu)];
    if (task.pinned || task.state != ContextState::kReady || in_window(&task, ~0u)) continue;
    if (home.running == &task && !can_preempt(home)) continue;
    for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) {
      if (cpu != static_cast<uint32_t>(task.cpu)) {
        add({MoveKind::kMigrate, CpuId{static_cast<uint8_t>(cpu)}, 0, 0, task.id});
      }
    }
  }
  for (uint32_t device = 0; device < devices_.size(); ++device) {
    if (!devices_[device]->enabled()) continue;
    add(device_move(device, 0));
    std::array<uint8_t, 255> others;
    const uint32_t count = devices_[device]->others(others);
    for (uint32_t i = 0; i < count; ++i) add(device_move(device, others[i]));
  }
  return enabled_;
}

Footprint Machine::next(const Move& move) {
  if (move.kind == MoveKind::kDevice) {
    const DeviceStep step = devices_[move.number]->next_step(move.choice);
    return {step.address >> kGranuleShift, step.what + 1, step.reads, step.writes, false};
  }
  const Context* context = find(move.who);
  if (!context) return {};
  const PendingStep& step = context->pending;
  const bool access = is_access(step.kind);
  Footprint footprint;
  footprint.granule = step.address >> kGranuleShift;
  footprint.pc = step.pc;
  footprint.reads = step.address != 0 && (!access || (step.access & kRead) != 0);
  footprint.writes = step.address != 0 && (!access || (step.access & kWrite) != 0);
  footprint.cpu = step.kind == EventKind::kCpuId || step.kind == EventKind::kIrqSave || step.kind == EventKind::kIrqOff ||
                  step.kind == EventKind::kPreemptDisable;
  return footprint;
}

void Machine::watch(std::span<const uintptr_t> granules) {
  watching_ = !granules.empty();
  memory_.watch(granules);
}

// Asks the strategy until somebody takes a step; that context, or null when nothing can move, or shall.
Context* Machine::decide() {
  for (;;) {
    enabled_.clear();
    if (!default_move(default_)) return nullptr;
    Point point;
    if (last_) point = {last_->id, last_->steps, steps_, false};
    point.forced = !last_ || !goes_on(*last_);
    const Choice choice = strategy_->choose(*this, point);
    if (choice.index == kStop) return nullptr;
    Move move = default_;
    if (choice.index != 0) {
      ENGINE_CHECK(choice.index < enabled_.size());
      move = enabled_[choice.index];
      record_deviation(move);
    }
    quiet_left_ = choice.quiet;
    ask_on_change_ = choice.until == Until::kChange;
    limited_ = ask_on_change_ && limited();
    Context* previous = last_;
    if (move.kind == MoveKind::kDevice) {
      if (!apply_device(move)) return nullptr;
      continue;
    }
    if (Context* next = apply(move)) {
      must_ask_ = next != previous && choice.until == Until::kSwitch;
      if (must_ask_ && exact_) empty_fuel();
      if (next != previous) {
        slice_left_ = kSlice;
        next->slice_writes = hot_.writes;
      }
      if (next->spinning) next->spin_turn = ++spin_turns_;
      next->spinning = false;
      return next;
    }
  }
}

void Machine::record_deviation(const Move& move) {
  Deviation deviation;
  if (last_) {
    deviation.anchor = last_->id;
    deviation.after = last_->steps;
    last_cut_ = mix(mix(relative(last_->pending.pc), static_cast<uint64_t>(move.kind)),
                    static_cast<uint64_t>(last_->pending.kind));
  }
  if (cover_) cover_->count(mix(last_ ? relative(last_->pending.pc) : 0, static_cast<uint64_t>(move.kind) + 1));
  deviation.move = move;
  if (move.kind != MoveKind::kPreempt && move.kind != MoveKind::kMigrate) deviation.move.who = {};
  schedule_.push_back(deviation);
}

Context* Machine::find(ContextId id) {
  uint32_t slot = 1 + uint32_t{id.number};
  switch (id.kind) {
    case ContextKind::kStart: return nullptr;
    case ContextKind::kTask: break;
    case ContextKind::kWorker: slot += task_count_; break;
    case ContextKind::kIrq: slot = kHandlerSlot + uint32_t{id.number}; break;
    case ContextKind::kDevice: slot = kSlots + uint32_t{id.number}; break;
  }
  if (slot >= kContexts) return nullptr;
  Context& context = contexts_[slot];
  return context.state != ContextState::kUnused && context.id == id ? &context : nullptr;
}

Context* Machine::apply(const Move& move) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(move.cpu)];
  switch (move.kind) {
    case MoveKind::kGo: break;
    case MoveKind::kInterrupt: return apply_interrupt(move);
    case MoveKind::kPreempt: apply_preempt(move); break;
    case MoveKind::kMigrate: apply_migrate(move); return nullptr;
    case MoveKind::kDevice: return nullptr;  // apply_device
  }
  last_ = cpu.top();
  return last_;
}

// Has the device take a step; false: the execution is over.
bool Machine::apply_device(const Move& move) {
  close_event();
  Context& device = contexts_[kSlots + move.number];
  if (last_ != &device) device.interrupted = last_ && last_->id.kind == ContextKind::kDevice ? last_->interrupted : last_;
  last_ = &device;
  order_runs(device);
  ++device.steps;
  ++steps_;
  ++kernel_steps_;
  behaviour_ = mix(behaviour_, uint64_t{device.slot} << 8 | move.choice);
  devices_[move.number]->step(*this, move.choice);
  if (steps_ >= limits_.steps && outcome_.verdict != VerdictKind::kFailed) {
    outcome_.verdict = VerdictKind::kGaveUp;
    outcome_.give_up = GiveUp::kStepLimit;
  }
  return outcome_.verdict == VerdictKind::kPassed;
}

Context* Machine::apply_interrupt(const Move& move) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(move.cpu)];
  Line& line = lines_[move.number];
  event(EventKind::kInterrupt, cpu.top(), move.cpu, move.number);
  const ContextId id{ContextKind::kIrq, move.number, static_cast<uint16_t>(line.fired)};
  Context& handler = prepare_context(kHandlerSlot + move.number, id, move.cpu, true);
  handler.interrupted = cpu.running;
  line.pending = false;
  ++line.fired;
  line.active = true;
  cpu.handlers[cpu.depth++] = &handler;
  cpu.irq_enabled = false;
  order_runs(handler);
  if (order_.on()) order_.take(order_.interrupts(index(move.cpu)));
  io_.entered(move.number);
  last_ = &handler;
  return last_;
}

void Machine::apply_preempt(const Move& move) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(move.cpu)];
  Context& in = *find(move.who);
  Context* out = cpu.running;
  event(EventKind::kPreempt, out, move.cpu, in.slot);
  dequeue(in);
  cpu.running = &in;
  enqueue(*out);
}

void Machine::apply_migrate(const Move& move) {
  Context& task = *find(move.who);
  Cpu& from = cpus_[static_cast<uint32_t>(task.cpu)];
  event(EventKind::kMigrate, &task, task.cpu, static_cast<int64_t>(move.cpu));
  if (from.running == &task) {
    leave_cpu(task);
  } else {
    dequeue(task);
  }
  task.cpu = move.cpu;
  make_ready(task);
}

void Machine::leave_cpu(Context& task) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(task.cpu)];
  cpu.running = cpu.queued ? cpu.queue[0] : nullptr;
  if (cpu.running) dequeue(*cpu.running);
}

void Machine::enqueue(Context& task) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(task.cpu)];
  cpu.queue[cpu.queued++] = &task;
}

void Machine::dequeue(Context& task) {
  Cpu& cpu = cpus_[static_cast<uint32_t>(task.cpu)];
  uint32_t kept = 0;
  for (uint32_t i = 0; i < cpu.queued; ++i) {
    if (cpu.queue[i] != &task) cpu.queue[kept++] = cpu.queue[i];
  }
  cpu.queued = kept;
}

// Its turn to run or to queue on its CPU.
void Machine::make_ready(Context& context) {
  context.state = ContextState::kReady;
  context.blocked_on = BlockedOn::kNothing;
  Cpu& cpu = cpus_[static_cast<uint32_t>(context.cpu)];
  if (cpu.running == nullptr) {
    cpu.running = &context;
  } else {
    enqueue(context);
  }
}

// Leaves the running fiber for the context's; null: the execution is over.
void Machine::transfer(Context* to) {
  Context* from = current_;
  if (to == nullptr) leave_run();
  order_runs(*to);  // it may be the same on another CPU
  if (to == from) return;
  behaviour_ = mix(behaviour_, relative(from->pending.pc) << 8 | uint64_t{to->slot});
  if (cover_) cover_->count(mix(mix(relative(from->pending.pc), relative(to->pending.pc)), static_cast<uint64_t>(to->id.kind)));
  if (target_.tls.size) swap_thread_locals(from->slot, to->slot);
  current_ = to;
  use_stack_of(*to);
  to->fiber.switch_from(from->fiber);
}

}  // namespace plait
