// SPDX-License-Identifier: Apache-2.0
#include "explore/guide.h"

#include <algorithm>

#include "base/check.h"
#include "base/prng.h"

namespace plait {
namespace {

constexpr uint32_t kStepsMax = 60'000;  // what a clock can count

// Places that are no memory: above every address.
enum Kept : uint64_t { kInterrupts = 1, kPreemption, kCpuOf, kSupply, kSlot };
constexpr uint64_t kept(Kept what, uint64_t number) { return uint64_t{1} << 63 | uint64_t{what} << 32 | number; }

uint64_t identity(const ContextId& id) {
  return static_cast<uint64_t>(id.kind) << 24 | uint64_t{id.number} << 16 | id.activation;
}

}  // namespace

void Guide::reset() {
  processes_.clear();
  optional_.clear();
  too_large_ = false;
}

void Guide::begin(uint64_t, uint32_t) {
  causality_.begin();
  taken_.clear();
  alternatives_.clear();
  slots_.fill({});
  locked_on_.clear();
  next_ = 0;
  spent_ = {};
  missed_ = 0;
  chance_.assign(3 * Causality::kProcessesMax * kCpusMax, kNever);
  for (Process& process : processes_) process = {process.id, false, 0, 0, 0, 0};
}

uint8_t Guide::process_of(const ContextId& id) {
  for (size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].id == id) return static_cast<uint8_t>(i);
  }
  if (processes_.size() == Causality::kProcessesMax) {
    too_large_ = true;
    return Causality::kProcessesMax - 1;
  }
  processes_.push_back({id, false, 0, 0, 0, 0});
  return static_cast<uint8_t>(processes_.size() - 1);
}

Decision Guide::decision_of(const Move& move) {
  const auto cpu = static_cast<uint8_t>(move.cpu);
  switch (move.kind) {
    case MoveKind::kGo:
    case MoveKind::kPreempt: return {Decision::Kind::kRun, process_of(move.who), cpu};
    case MoveKind::kInterrupt: return {Decision::Kind::kInterrupt, process_of(move.who), cpu};
    case MoveKind::kMigrate: return {Decision::Kind::kMigrate, process_of(move.who), cpu};
    case MoveKind::kDevice: break;
  }
  too_large_ = true;  // devices are no processes yet
  return {};
}

void Guide::note_options(std::span<const Move> enabled, Taken& taken) {
  for (const Move& move : enabled) {
    const Decision decision = decision_of(move);
    (decision.kind == Decision::Kind::kMigrate ? taken.movable : taken.enabled) |= 1u << decision.process;
    if (decision.kind == Decision::Kind::kRun) continue;
    if (std::find(optional_.begin(), optional_.end(), decision) == optional_.end()) optional_.push_back(decision);
    chance_[index_of(decision)] = static_cast<uint32_t>(taken_.size() - 1);
  }
}

Choice Guide::choose(Moves& moves, const Point& point) {
  const std::span<const Move> enabled = moves.all();
  Taken& taken = taken_.emplace_back();
  taken.forced = point.forced;
  taken.before = spent_;
  note_options(enabled, taken);
  uint32_t chosen = 0;
  while (plan_ != nullptr && next_ < plan_->size()) {
    const Decision& wanted = (*plan_)[next_++];
    const auto found =
        std::find_if(enabled.begin(), enabled.end(), [&](const Move& move) { return decision_of(move).means(wanted); });
    if (found == enabled.end()) {
      ++missed_;
      continue;
    }
    chosen = static_cast<uint32_t>(found - enabled.begin());
    break;
  }
  const Move& move = enabled[chosen];
  taken.decision = decision_of(move);
  const bool handler = processes_[taken.decision.process].id.kind == ContextKind::kIrq;
  const bool runs = taken.decision.kind == Decision::Kind::kRun;
  const Cpu& cpu = machine_.cpu(index(move.cpu));
  taken.keeps_handlers_out = runs && !cpu.irq_enabled;
  taken.keeps_tasks_out = runs && (handler || taken.keeps_handlers_out || cpu.preempt_count != 0);
  taken.standard = process_of(enabled[0].who);
  if (note_alternatives_) {
    std::vector<Decision>& others = alternatives_.emplace_back();
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (i != chosen) others.push_back(decision_of(enabled[i]));
    }
  }
  spent_.deviations += chosen != 0;
  switch (move.kind) {
    case MoveKind::kGo:
    case MoveKind::kPreempt: spent_.preemptions += chosen != 0 && !point.forced; break;
    case MoveKind::kInterrupt: spent_.interrupts += 1; break;
    case MoveKind::kMigrate: spent_.migrations += 1; break;
    case MoveKind::kDevice: break;
  }
  if (taken_.size() > kStepsMax) too_large_ = true;
  note(taken.decision, move);
  return {chosen, 0, Until::kOver};
}

// Who stands before a lock at the end could have had it if others had not.
void Guide::note_blocked() {
  for (const Context* context : machine_.contexts()) {
    if (context->state != ContextState::kReady || context->pending.kind != EventKind::kSpinLock) continue;
    Taken& taken = taken_.emplace_back();
    taken.before = spent_;
    taken.decision = {Decision::Kind::kRun, process_of(context->id), static_cast<uint8_t>(context->cpu)};
    note(taken.decision, {MoveKind::kGo, context->cpu, 0, 0, context->id});
  }
}

// The event that comes of it: the step that was announced, or none that anybody could notice, where a context begins.
void Guide::note(const Decision& decision, const Move& move) {
  places_.clear();
  if (decision.kind != Decision::Kind::kRun) return note_change(decision);
  const auto contexts = machine_.contexts();
  const auto who = std::find_if(contexts.begin(), contexts.end(), [&](const Context* context) { return context->id == move.who; });
  const PendingStep step = who == contexts.end() ? PendingStep{} : (*who)->pending;
  Process& process = processes_[decision.process];
  places_of(step, process, decision.process, decision.cpu);
  // What a free will find in its slot is not known when it is announced.
  const uint64_t address = step.kind == EventKind::kCallFree ? 0 : step.address;
  const uint64_t what = mix(identity(process.id) << 8 | static_cast<uint64_t>(step.kind), address);
  // What a free touches is what its slot holds then.
  const bool frees = step.kind == EventKind::kCallFree;
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
  if (decision.kind == Decision::Kind::kInterrupt) {
    add_place(kept(kInterrupts, decision.cpu), Touch::kAcquire);
    processes_[process].started = true;
  } else {
    // An event of nobody's program: it matters only to steps that depend on the task's CPU.
    add_place(kept(kCpuOf, process), Touch::kWrite);
    const uint8_t task = processes_[process].id.number;
    process = process_of({ContextKind::kStart, task, ++processes_[process].moves});
  }
  causality_.add(process, what, places_);
}

std::pair<uint8_t, uint64_t> Guide::option(uint32_t count, const Decision& decision, uint16_t nth) {
  uint8_t process = decision.process;
  Place place{kept(kInterrupts, decision.cpu), Touch::kAcquire};
  if (decision.kind == Decision::Kind::kMigrate) {
    place = {kept(kCpuOf, process), Touch::kWrite};
    process = process_of({ContextKind::kStart, processes_[process].id.number, nth});
  }
  return {process, causality_.hash_after(count, change(decision), place)};
}

void Guide::range(uint64_t address, uint64_t size, Touch touch) {
  if (size == 0) return;
  for (uint64_t granule = address >> kGranuleShift; granule <= (address + size - 1) >> kGranuleShift; ++granule) {
    add_place(granule, touch);
  }
}

const Operation* Guide::operation_of(const Process& process) const {
  const Scenario& scenario = machine_.scenario();
  const std::vector<Operation>* program = nullptr;
  if (process.id.kind == ContextKind::kTask) program = &scenario.tasks[process.id.number].operations;
  if (process.id.kind == ContextKind::kIrq) program = &scenario.lines[process.id.number].operations;
  if (!program || process.calls == 0 || process.calls > program->size()) return nullptr;
  return &(*program)[process.calls - 1];
}

// Interrupts off on a CPU are a lock of this CPU, and so is preemption off; a task with interrupts off has both.
void Guide::flag_places(EventKind kind, bool handler, uint8_t number, uint8_t cpu) {
  const bool interrupts = kind != EventKind::kPreemptDisable && kind != EventKind::kPreemptEnable;
  const bool off = kind == EventKind::kIrqSave || kind == EventKind::kIrqOff || kind == EventKind::kPreemptDisable;
  const Touch touch = off ? Touch::kAcquire : Touch::kRelease;
  if (interrupts) add_place(kept(kInterrupts, cpu), touch);
  if (!handler) add_place(kept(kPreemption, cpu), touch);
  if (interrupts || !handler) add_place(kept(kCpuOf, number), Touch::kRead);
}

// Who calls, and with which object: a slot is handed over, and its object's bytes change hands.
void Guide::call_places(const PendingStep& step, Process& process) {
  if (step.kind != EventKind::kReturnAlloc) ++process.calls;
  const Operation* operation = operation_of(process);
  if (!operation) return;
  add_place(kept(kSlot, operation->slot), Touch::kWrite);
  Held& held = slots_[operation->slot];
  if (step.kind == EventKind::kCallFree) {
    range(held.object, held.size, Touch::kWrite);
    held = {};
  } else if (step.kind == EventKind::kReturnAlloc && step.address != 0) {
    range(step.address, operation->size, Touch::kWrite);
    held = {step.address, operation->size};
  }
}

void Guide::places_of(const PendingStep& step, Process& process, uint8_t number, uint8_t cpu) {
  const bool handler = process.id.kind == ContextKind::kIrq;
  const bool flag = step.kind >= EventKind::kIrqSave && step.kind <= EventKind::kIrqOn;
  if (handler && !flag) add_place(kept(kInterrupts, cpu), Touch::kRelease);  // what comes after it comes after all of it
  if (is_access(step.kind)) return range(step.address, step.size, step.access & kWrite ? Touch::kWrite : Touch::kRead);
  const uint64_t object = step.address >> kGranuleShift;
  switch (step.kind) {
    case EventKind::kIrqSave:
    case EventKind::kIrqOff:
    case EventKind::kIrqRestore:
    case EventKind::kIrqOn:
    case EventKind::kPreemptDisable:
    case EventKind::kPreemptEnable: flag_places(step.kind, handler, number, cpu); break;
    case EventKind::kCpuId: add_place(kept(kCpuOf, number), Touch::kRead); break;
    case EventKind::kSpinLock: {
      const auto last = locked_on_.find(object);
      add_place(object, last != locked_on_.end() && last->second == cpu ? Touch::kSeize : Touch::kAcquire);
      locked_on_[object] = cpu;
      break;
    }
    case EventKind::kSpinUnlock: add_place(object, Touch::kRelease); break;
    case EventKind::kSpinTrylock:
      locked_on_[object] = cpu;
      add_place(object, Touch::kSeize);
      break;
    case EventKind::kMutexLock:
      process.mutex = object;
      [[fallthrough]];
    case EventKind::kMutexTrylock:
    case EventKind::kMutexUnlock:
    case EventKind::kWaitPrepare:
    case EventKind::kWaitCommit:
    case EventKind::kWaitCancel:
    case EventKind::kWake:
    case EventKind::kSemDown:
    case EventKind::kSemTrydown:
    case EventKind::kSemUp:
      process.object = object;
      add_place(object, Touch::kWrite);
      break;
    case EventKind::kWait:
      process.object = object;
      add_place(object, Touch::kWrite);
      // With size 0 it has waited and was woken; otherwise it may let go of a mutex first.
      if (step.size != 0 && process.mutex != 0 && process.mutex != object) add_place(process.mutex, Touch::kWrite);
      break;
    case EventKind::kPageAlloc: add_place(kept(kSupply, 0), Touch::kWrite); break;
    case EventKind::kPageFree:
      add_place(kept(kSupply, 0), Touch::kWrite);
      range(step.address, step.size * machine_.page_size(), Touch::kWrite);
      break;
    case EventKind::kCallAlloc:
    case EventKind::kCallFree:
    case EventKind::kReturnAlloc: call_places(step, process); break;
    default: break;  // what nobody else could notice
  }
}

}  // namespace plait
