// SPDX-License-Identifier: Apache-2.0
#include "explore/guide.h"

#include <algorithm>

#include "base/prng.h"
#include "explore/places.h"

namespace plait {
namespace {

constexpr uint32_t kStepsMax = 60'000;  // what a clock can count

Touch touch_of(Meeting::How how) {
  switch (how) {
    case Meeting::How::kRead: return Touch::kRead;
    case Meeting::How::kWrite: return Touch::kWrite;
    case Meeting::How::kGive: return Touch::kGive;
    case Meeting::How::kTake: return Touch::kTake;
  }
  return Touch::kWrite;
}

uint64_t identity(const ContextId& id) {
  return static_cast<uint64_t>(id.kind) << 24 | uint64_t{id.number} << 16 | id.activation;
}

}  // namespace

void Guide::reset() {
  processes_.clear();
  threads_.clear();
  optional_.clear();
  too_large_ = false;
}

void Guide::begin(uint64_t, uint32_t) {
  causality_.begin();
  taken_.clear();
  alternatives_.clear();
  slots_.fill({});
  locked_.clear();
  next_ = 0;
  spent_ = {};
  runner_ = device_process_ = Causality::kProcessesMax;
  machine_.io().set_meetings(nullptr);
  for (Process& process : processes_) process = {.id = process.id};
}

uint8_t Guide::process_of(const ContextId& id) {
  for (size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].id == id) return static_cast<uint8_t>(i);
  }
  if (processes_.size() == Causality::kProcessesMax) {
    too_large_ = true;
    return Causality::kProcessesMax - 1;
  }
  processes_.push_back({.id = id});
  const auto added = static_cast<uint8_t>(processes_.size() - 1);
  if (is_thread(added)) {
    const auto key = [&](uint8_t thread) { return identity(processes_[thread].id); };
    threads_.insert(std::upper_bound(threads_.begin(), threads_.end(), added, [&](uint8_t a, uint8_t b) { return key(a) < key(b); }), added);
  }
  return added;
}

Decision Guide::decision_of(const Move& move) {
  const auto cpu = static_cast<uint8_t>(move.cpu);
  switch (move.kind) {
    case MoveKind::kGo:
    case MoveKind::kPreempt: return {Decision::Kind::kRun, process_of(move.who), cpu};
    case MoveKind::kInterrupt:
      return {is_of_device(move.number) ? Decision::Kind::kRaised : Decision::Kind::kInterrupt, process_of(move.who), cpu};
    case MoveKind::kMigrate: return {Decision::Kind::kMigrate, process_of(move.who), cpu};
    case MoveKind::kDevice: {
      const DeviceStep step = machine_.device(move.number).next_step(move.choice);
      return {Decision::Kind::kDevice, process_of({ContextKind::kDevice, move.number, static_cast<uint16_t>(step.activity)}), 0};
    }
  }
  return {};
}

bool Guide::is_of_device(uint8_t line) const { return machine_.scenario().lines[line].vector != LineSpec::kNoVector; }

void Guide::note_options(std::span<const Move> enabled, Taken& taken) {
  ringing_ = 0;
  for (uint32_t queue = 0; queue < machine_.io().queues().size(); ++queue) ringing_ |= uint32_t{machine_.device(queue).awake()} << queue;
  for (const Move& move : enabled) {
    const Decision decision = decision_of(move);
    if (decision.kind != Decision::Kind::kMigrate) taken.enabled |= 1u << decision.process;
    if (decision.kind != Decision::Kind::kInterrupt && decision.kind != Decision::Kind::kMigrate) continue;
    if (std::find(optional_.begin(), optional_.end(), decision) == optional_.end()) optional_.push_back(decision);
  }
}

Choice Guide::choose(Moves& moves, const Point& point) {
  note_device();
  note_wakes();
  const std::span<const Move> enabled = moves.all();
  Taken& taken = taken_.emplace_back();
  taken.before = spent_;
  note_options(enabled, taken);
  uint32_t chosen = 0;
  while (plan_ != nullptr && next_ < plan_->size()) {
    const Decision& wanted = (*plan_)[next_++];
    const auto found =
        std::find_if(enabled.begin(), enabled.end(), [&](const Move& move) { return decision_of(move).means(wanted); });
    if (found == enabled.end()) continue;
    chosen = static_cast<uint32_t>(found - enabled.begin());
    break;
  }
  const Move& move = enabled[chosen];
  taken.decision = decision_of(move);
  note_kept_out(taken);
  const bool runs = taken.decision.kind == Decision::Kind::kRun;
  taken.standard = decision_of(enabled[0]).process;
  taken.cut = would_be_cut(taken, point);
  if (note_alternatives_) {
    std::vector<Decision>& others = alternatives_.emplace_back();
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (i != chosen) others.push_back(decision_of(enabled[i]));
    }
  }
  spent_.deviations += chosen != 0;
  switch (move.kind) {
    case MoveKind::kGo:
    case MoveKind::kPreempt: spent_.preemptions += taken.preempts(taken.decision.process); break;
    case MoveKind::kInterrupt: spent_.interrupts += taken.decision.kind == Decision::Kind::kInterrupt; break;
    case MoveKind::kMigrate: spent_.migrations += 1; break;
    case MoveKind::kDevice: break;
  }
  if (runs) runner_ = taken.decision.process;
  if (taken_.size() > kStepsMax) too_large_ = true;
  note(taken.decision, move);
  return {chosen, 0, Until::kOver};
}

void Guide::note_kept_out(Taken& taken) const {
  const Decision& decision = taken.decision;
  if (decision.kind != Decision::Kind::kRun) return;
  const Cpu& cpu = machine_.cpu(decision.cpu);
  taken.keeps_handlers_out = !cpu.irq_enabled;
  taken.keeps_tasks_out = is_handler(decision.process) || taken.keeps_handlers_out || cpu.preempt_count != 0;
}

// A device is beside the CPUs: whoever ran before its step and goes on after it was not preempted.
uint8_t Guide::would_be_cut(const Taken& taken, const Point& point) const {
  if (point.context.kind != ContextKind::kDevice) return point.forced ? Causality::kProcessesMax : taken.standard;
  return runner_ != Causality::kProcessesMax && (taken.enabled >> runner_ & 1) != 0 ? runner_ : Causality::kProcessesMax;
}

void Guide::finish() {
  note_device();
  machine_.io().set_meetings(nullptr);
  note_over();
}

// What the last decision came to: who waits since then, and who no longer does.
void Guide::note_wakes() {
  if (runner_ < processes_.size() && !processes_[runner_].blocked) {
    const Context* context = context_of(runner_);
    processes_[runner_].blocked = context != nullptr && context->state == ContextState::kBlocked;
  }
  for (uint8_t i = 0; i < processes_.size(); ++i) {
    Process& process = processes_[i];
    if (!process.blocked || process.woken_by != Causality::kNone) continue;
    const Context* context = context_of(i);
    if (context != nullptr && context->state == ContextState::kReady) process.woken_by = static_cast<uint32_t>(taken_.size() - 1);
  }
}

void Guide::note_over() {
  for (Process& process : processes_) process.over = true;
  for (const Context* context : machine_.contexts()) {
    // Where a handler was blocked, which ends an execution, it has not left its CPU.
    const bool stays = context->id.kind == ContextKind::kIrq && context->state == ContextState::kBlocked;
    if (context->state == ContextState::kReady || stays) processes_[process_of(context->id)].over = false;
  }
}

// What a device's step meets is known when it is done.
void Guide::note_device() {
  if (device_process_ == Causality::kProcessesMax) return;
  places_.clear();
  add_place(kept(kRegisters, 0), Touch::kRead);
  for (const Meeting& meeting : meetings_) {
    const Touch touch = touch_of(meeting.how);
    switch (meeting.what) {
      case Meeting::What::kMemory: range(meeting.number, meeting.size, touch); break;
      case Meeting::What::kChain:
      case Meeting::What::kDescriptor: add_place(kept(meeting.what, uint64_t{device_} << 16 | meeting.number), touch); break;
      case Meeting::What::kKick:
      case Meeting::What::kLine:
      case Meeting::What::kReturned:
      case Meeting::What::kRequest:
      case Meeting::What::kFlushes:
      case Meeting::What::kDisk:
      case Meeting::What::kArrivals: add_place(kept(meeting.what, meeting.number), touch); break;
    }
  }
  causality_.add(device_process_, device_what_, places_);
  device_process_ = Causality::kProcessesMax;
}

// Who stands before a lock at the end could have had it if others had not.
void Guide::note_blocked(bool failed) {
  for (const Context* context : machine_.contexts()) {
    if (!failed || context->state != ContextState::kReady || context->pending.kind != EventKind::kSpinLock) continue;
    note_blocked({MoveKind::kGo, context->cpu, 0, 0, context->id});
  }
  for (uint8_t queue = 0; queue < machine_.io().queues().size(); ++queue) {
    const Device& device = machine_.device(queue);
    std::array<uint8_t, 255> choices;
    const uint32_t count = device.blocked(choices);
    for (uint32_t i = 0; i < count; ++i) {
      note_blocked({MoveKind::kDevice, {}, queue, choices[i], {ContextKind::kDevice, queue, 0}});
      device.meet_blocked(machine_.io(), choices[i]);
      finish();
    }
  }
}

void Guide::note_blocked(const Move& move) {
  Taken& taken = taken_.emplace_back();
  taken.before = spent_;
  taken.decision = decision_of(move);
  note_kept_out(taken);
  note(taken.decision, move);
}

// Null: it has none yet, or no more.
const Context* Guide::context_of(uint8_t process) const {
  if (process >= processes_.size()) return nullptr;
  const auto contexts = machine_.contexts();
  const auto who = std::find_if(contexts.begin(), contexts.end(), [&](const Context* context) { return context->id == processes_[process].id; });
  return who == contexts.end() ? nullptr : *who;
}

// The event that comes of it: the step that was announced, or none that anybody could notice, where a context begins.
void Guide::note(const Decision& decision, const Move& move) {
  places_.clear();
  if (decision.kind == Decision::Kind::kDevice) {
    const DeviceStep step = machine_.device(move.number).next_step(move.choice);
    device_process_ = decision.process;
    device_ = move.number;
    device_what_ = mix(identity(processes_[decision.process].id), step.what);
    meetings_.clear();
    machine_.io().set_meetings(&meetings_);
    return;
  }
  machine_.io().set_meetings(nullptr);
  if (decision.kind != Decision::Kind::kRun) return note_change(decision);
  const Context* who = context_of(decision.process);
  const PendingStep step = who == nullptr ? PendingStep{} : who->pending;
  Process& process = processes_[decision.process];
  taken_.back().woken_by = process.woken_by;
  taken_.back().waits = process.blocked ? Waits::kWoken : step.kind == EventKind::kSpinLock ? Waits::kLock : Waits::kNo;
  taken_.back().lets_go = step.kind == EventKind::kSpinUnlock || step.kind == EventKind::kMutexUnlock || step.kind == EventKind::kWake ||
                          step.kind == EventKind::kSemUp;
  process.blocked = false;
  process.woken_by = Causality::kNone;
  process.mutex = who == nullptr ? 0 : who->lets_go >> kGranuleShift;
  process.page_refused = who != nullptr && who->page_refused;
  places_of(step, process, decision.process, decision.cpu);
  // What a free will find in its slot is not known when it is announced.
  const bool frees = step.kind == EventKind::kCallFree && !drives(process);
  const uint64_t address = frees ? 0 : step.address;
  const uint64_t what = mix(identity(process.id) << 8 | static_cast<uint64_t>(step.kind), address);
  // What a free touches is what its slot holds then.
  const uint32_t depends = !frees ? 0 : process.id.kind == ContextKind::kIrq ? 2 : 1;
  causality_.add(decision.process, mix(what, step.size), places_, depends);
}

uint64_t Guide::change(const Decision& decision) const {
  const auto kind = static_cast<uint64_t>(EventKind::kCount) + static_cast<uint64_t>(decision.kind);
  return mix(identity(processes_[decision.process].id) << 8 | kind, decision.cpu);
}

void Guide::note_change(const Decision& decision) {
  uint8_t process = decision.process;
  const uint64_t what = change(decision);
  if (decision.kind != Decision::Kind::kMigrate) {
    add_place(kept(kInterrupts, decision.cpu), Touch::kAcquire);
    if (decision.kind == Decision::Kind::kRaised) {
      add_place(kept(Meeting::What::kLine, processes_[process].id.number), Touch::kTake);
    }
    processes_[process].started = true;
  } else {
    // An event of nobody's program: it matters only to steps that depend on the task's CPU.
    add_place(kept(kCpuOf, process), Touch::kWrite);
    for (auto& [where, locked] : locked_) {
      if (locked.by == process) locked.cpus |= 1u << decision.cpu;
    }
    const uint8_t task = processes_[process].id.number;
    process = process_of({ContextKind::kStart, task, ++processes_[process].moves});
  }
  causality_.add(process, what, places_);
}

Place Guide::place_of(const Decision& option) const {
  if (option.kind != Decision::Kind::kMigrate) return {kept(kInterrupts, option.cpu), Touch::kAcquire};
  return {kept(kCpuOf, option.process), Touch::kWrite};
}

std::pair<uint8_t, Place> Guide::option_place(const Decision& decision, uint16_t nth) {
  if (decision.kind != Decision::Kind::kMigrate) return {decision.process, place_of(decision)};
  return {process_of({ContextKind::kStart, processes_[decision.process].id.number, nth}), place_of(decision)};
}

}  // namespace plait
