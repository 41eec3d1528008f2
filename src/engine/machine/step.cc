// SPDX-License-Identifier: Apache-2.0
//
// How a context takes a step: it announces the operation, waits until the schedule lets it go on, and performs it.
// step_slow is that sentence; most steps never come here because the hooks burn fuel instead (base/hot.h).
#include <dlfcn.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "machine/machine.h"

namespace plait {
namespace {

constexpr int64_t kBootFuel = 4'000'000;  // visible operations of an init or a check before it counts as endless

EventKind access_event(uint32_t kind) {
  const bool read = kind & kRead;
  const bool write = kind & kWrite;
  if (kind & kAtomic) {
    return read && write ? EventKind::kAtomicRmw : write ? EventKind::kAtomicWrite : EventKind::kAtomicRead;
  }
  if (kind & kMarked) return write ? EventKind::kMarkedWrite : EventKind::kMarkedRead;
  return read && write ? EventKind::kRmw : write ? EventKind::kWrite : EventKind::kRead;
}

uint64_t load_value(uintptr_t address, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, reinterpret_cast<const void*>(address), std::min(size, sizeof value));
  return value;
}

}  // namespace

// Books what the hooks burnt since the last grant.
void Machine::settle() {
  const int64_t done = granted_ - hot_.fuel;  // the hooks take no fuel below 1
  granted_ = hot_.fuel;
  if (mode_ != Mode::kRun || done <= 0) return;
  current_->steps += static_cast<uint32_t>(done);
  current_->operation_steps += static_cast<uint32_t>(done);
  steps_ += static_cast<uint64_t>(done);
  quiet_left_ -= done;
  slice_left_ -= done;
}

void Machine::grant() {
  if (mode_ != Mode::kRun) {
    hot_.fuel = granted_ = kBootFuel;
    return;
  }
  int64_t fuel = 0;
  if (!slow_ && !must_ask_ && !current_->watch.active) {
    const auto run_left = static_cast<int64_t>(limits_.steps) - static_cast<int64_t>(steps_);
    const auto operation_left =
        static_cast<int64_t>(limits_.operation_steps) - static_cast<int64_t>(current_->operation_steps);
    fuel = std::max<int64_t>(0, std::min({quiet_left_, slice_left_, run_left, operation_left}));
  }
  if (fuel == 0) return empty_fuel();
  hot_.fuel = granted_ = fuel;
}

void Machine::check_limits(Context& context) {
  if (context.operation_steps >= limits_.operation_steps) {
    die(FailureKind::kLivelock,
        short_name(context.id) + " took " + Text::of(context.operation_steps) +
            " steps in one operation and did not finish it",
        context.pending.pc);
  }
  if (steps_ >= limits_.steps) give_up(GiveUp::kStepLimit);
}

// A context that did nothing but read for a whole slice, while nobody wrote, waits for somebody.
void Machine::look_for_spin(Context& context) {
  if (hot_.writes == context.slice_writes) {
    context.spinning = true;
    context.spin_writes = hot_.writes;
  }
  context.slice_writes = hot_.writes;
  slice_left_ = kSlice;
}

void Machine::step_slow(const PendingStep& step) {
  Context& context = *current_;
  settle();
  if (mode_ != Mode::kRun) {
    if (hot_.fuel <= 0) die(FailureKind::kLivelock, "init or check did not come to an end", step.pc);
    --hot_.fuel;
    granted_ = hot_.fuel;
    return;
  }
  close_event();
  if (closing_) leave_windows(context, false);
  context.pending = step;
  check_limits(context);
  if (slice_left_ <= 0) look_for_spin(context);
  const bool watched = watching_ && memory_.watched(step.address);
  if (quiet_left_ <= 0 || must_ask_ || watched || !can_go(context)) transfer(decide());
  context.spinning = false;
  note_step(context);
  grant();
}

// The announced operation of the context happens now.
void Machine::note_step(const Context& context) {
  Context& running = *current_;
  ENGINE_CHECK(&running == &context);
  last_ = &running;
  ++running.steps;
  ++running.operation_steps;
  ++steps_;
  --quiet_left_;
  --slice_left_;
  if (closing_) enter_windows(running);
  const PendingStep& step = context.pending;
  kernel_steps_ += !is_access(step.kind);
  if (recording_) {
    Event event;
    event.kind = step.kind;
    event.context = static_cast<int16_t>(context.slot);
    event.cpu = static_cast<uint8_t>(context.cpu);
    event.size = static_cast<uint32_t>(step.size);
    event.address = step.address ? encode(step.address) : 0;
    event.pc = relative(step.pc);
    recorder_.add(event);
  }
  if (sink_) sink_->step({step.kind, context.slot, step.access, static_cast<uint32_t>(step.size), step.address, step.pc});
  if (target_.declaration->step_invariant && !holds_at_this_step()) {
    die(FailureKind::kInvariant, "the invariant that holds at every step does not hold before this one", step.pc);
  }
}

// The target's own code: its accesses are checked, but are no steps.
bool Machine::holds_at_this_step() {
  mode_ = Mode::kCheck;
  order_.pause(true);
  grant();
  memory_.let_driver(false);
  const bool holds = target_.declaration->step_invariant();
  memory_.let_driver(current_->in_driver);
  mode_ = Mode::kRun;
  if (limits_.order_checks) order_.pause(false);
  empty_fuel();
  return holds;
}

// A write is recorded with the value that it left, which is known only now.
void Machine::close_event() {
  if (!recording_ || !recorder_.open()) return;
  const Event& event = recorder_.last();
  const bool writes = event.kind == EventKind::kWrite || event.kind == EventKind::kRmw ||
                      event.kind == EventKind::kAtomicWrite || event.kind == EventKind::kAtomicRmw ||
                      event.kind == EventKind::kMarkedWrite;
  const uintptr_t address = last_ ? last_->pending.address : 0;
  if (writes && !event.has_value && address && encode(address) == event.address && memory_.meta(address)) {
    recorder_.close(encode(load_value(address, event.size)), true);
  } else {
    recorder_.close(0, false);
  }
}

void Machine::event(EventKind kind, const Context* context, CpuId cpu, int64_t arg) {
  if (!recording_) return;
  close_event();
  Event event;
  event.kind = kind;
  event.context = context ? static_cast<int16_t>(context->slot) : int16_t{-1};
  event.cpu = static_cast<uint8_t>(cpu);
  event.arg = arg;
  event.has_arg = true;
  recorder_.add(event);
}

// ---- accesses

// True when the access is to a stack and needs no step. A first touch of somebody else's stack makes that stack's
// accesses visible, from the start: the execution is run again knowing it.
bool Machine::on_stack_access(uintptr_t address) {
  if (!stacks_.contains(address)) return false;
  const size_t slot = stacks_.slot_of(address);
  const uint64_t bit = uint64_t{1} << slot;
  if (mode_ != Mode::kRun) return true;
  if (limits_.shared_stacks & bit) return false;
  if (slot == current_->slot) return true;
  if (slot == 0 || contexts_[slot].state == ContextState::kUnused) return false;  // judged by check_access
  limits_.shared_stacks |= bit;
  retry_ = true;
  leave_run();
}

// Constants of the target, and what it reads in libraries (virtual tables of the C++ library).
bool Machine::is_constant(uintptr_t address) const {
  if (memory_.in_constants(address)) return true;
  Dl_info info;
  return address >= 4096 && dladdr(reinterpret_cast<const void*>(address), &info) != 0;
}

void Machine::access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (cover_) [[unlikely]] cover_->count(relative(pc));
  if (memory_.driver_let()) [[unlikely]] {
    if (take_driver_access(address, size, kind, pc)) return;
  } else if (take_access(address, size, kind, pc)) [[likely]] {
    return;  // mostly a first write: only the log was missing
  }
  access_slow(address, size, kind, pc);
}

// Of an access that is legal by its metadata.
bool Machine::take_granted(uint32_t* meta, uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (hot_.fuel <= 0 || (address & 7) + size > 8) [[unlikely]] return false;
  --hot_.fuel;
  if (kind & kWrite) {
    memory_.log_granule(meta, address & ~uintptr_t{7});
    if (!(kind & kMayFail)) ++hot_.writes;
  }
  if (order_.on()) order_.access(address, size, kind, pc);
  return true;
}

// As take_access, in a driver: it may write what the allocator has handed to it, and nothing else on the allocator's
// pages. What is its own without being live, such as the buffers of its callers, is no business of the hooks.
bool Machine::take_driver_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  uint32_t* meta = memory_.meta(address);
  if (!meta) return false;
  const uint32_t state = *meta & kStateMask;
  if (state != kLive && (state != kOwned || memory_.in_pages(address))) return false;
  return take_granted(meta, address, size, kind, pc);
}

void Machine::access_slow(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (!memory_.meta(address)) {
    if (stacks_.contains(address) && !stacks_.in_guard(address)) {
      if (on_stack_access(address)) return;
    } else if (target_.tls.contains(address) || (!(kind & kWrite) && is_constant(address))) {
      return;
    }
  }
  step_slow({access_event(kind), kind, address, size, pc});
  check_access(address, size, kind, pc);
  if (closing_ && Closing::has(closing_->marked, relative(pc))) kind |= kMarked;
  if (order_.on()) order_.access(address, size, kind, pc);
  if (recording_ && mode_ == Mode::kRun && !(kind & kWrite)) set_event_value(encode(load_value(address, size)));
  if (current_->watch.active) {
    if (kind & kWrite) {
      if (!(kind & kMayFail)) current_->watch.overflow = true;
    } else {
      watch_read(*current_, address, size);
    }
  }
}

void Machine::watch_read(Context& context, uintptr_t address, size_t size) {
  SpinWatch& watch = context.watch;
  if (watch.frozen) {
    watch.frozen = watch.overflow = false;
    watch.count = 0;
  }
  if (watch.count == SpinWatch::kReadsMax || size > 8) {
    watch.overflow = true;
    return;
  }
  watch.reads[watch.count++] = {address, static_cast<uint32_t>(size), load_value(address, size)};
}

bool Machine::spin_over(const Context& context) const {
  const SpinWatch& watch = context.watch;
  if (!watch.active || !watch.frozen || watch.overflow || watch.count == 0) {
    return hot_.writes != context.spin_writes;
  }
  for (uint32_t i = 0; i < watch.count; ++i) {
    const SpinWatch::Read& read = watch.reads[i];
    if (load_value(read.address, read.size) != read.value) return true;
  }
  return false;
}

void Machine::check_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (stacks_.contains(address)) {
    if (stacks_.in_guard(address)) bad_access(address, size, kind, pc);
    const Context& owner = contexts_[std::min<size_t>(stacks_.slot_of(address), kSlots - 1)];
    if (&owner != current_ && (owner.state == ContextState::kUnused || owner.state == ContextState::kFinished) &&
        mode_ == Mode::kRun) {
      die(FailureKind::kUseAfterFree, short_name(current_->id) + " touches the stack of " + short_name(owner.id) + ", which has finished",
          pc, address);
    }
    return;
  }
  for (uintptr_t at = address; at < address + size; at = (at | 7) + 1) {
    const GranuleState state = memory_.state(at);
    const bool live_write = state == kLive && (kind & kWrite) && mode_ == Mode::kRun && !current_->in_driver;
    if (state == kOwned && current_->in_driver && memory_.in_pages(at)) {
      die(FailureKind::kUseAfterFree,
          short_name(current_->id) + ((kind & kWrite) ? " writes to " : " reads ") + place_name(at) +
              " in the driver, which holds nothing there", pc, at);
    }
    if (live_write || (state != kOwned && state != kLive)) bad_access(at, size, kind, pc);
  }
  if (kind & kWrite) {
    memory_.log(address, size);
    if (!(kind & kMayFail)) ++hot_.writes;
  }
}

void Machine::bad_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  const auto did = [&] {
    return short_name(current_->id) + ((kind & kWrite) ? " writes " : " reads ") + Text::of(size) +
           (size == 1 ? " byte at " : " bytes at ");
  };
  const auto at = [&] { return did() + place_name(address); };
  if (address < 4096) die(FailureKind::kNullDereference, at(), pc, address);
  if (stacks_.in_guard(address)) die(FailureKind::kStackOverflow, did() + "an address below its stack", pc);
  if (memory_.in_constants(address)) die(FailureKind::kReadOnlyWrite, at() + ", a constant", pc, address);
  switch (memory_.state(address)) {
    case kLive: {
      const Object* object = objects_.overlapping_live(address & ~uintptr_t{7}, 8);
      die(FailureKind::kLiveObjectOverwritten,
          at() + (object ? ", inside the object that " + short_name(object->holder) + " holds" : ", a live object"),
          pc, address);
    }
    case kFreedPage: die(FailureKind::kUseAfterFree, at() + ", which was given back", pc, address);
    default: die(FailureKind::kUnmappedAccess, at() + ", which is not mapped", pc, address);
  }
}

}  // namespace plait
