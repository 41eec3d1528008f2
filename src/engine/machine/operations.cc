// SPDX-License-Identifier: Apache-2.0
//
// The scenario's programs: calls alloc and free of the target and judges what they answered and in which state they
// left the context. A caller fills its objects with a pattern and looks at it before it frees them.
#include <cstring>

#include "machine/machine.h"

namespace plait {
namespace {

// At the front of an object, and its last word: enough for writes by code that is not instrumented; those by
// instrumented code are caught when they happen.
constexpr uint32_t kFillWords = 2;

uint64_t pattern(uint64_t place) { return (place + 1) * 0x9e3779b97f4a7c15u | 1; }

Text size_text(uint32_t size) { return Text::of(size) + (size == 1 ? " byte" : " bytes"); }

}  // namespace

void Machine::run_operations(const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    switch (operation.kind) {
      case OperationKind::kAlloc: do_alloc(operation); break;
      case OperationKind::kFree: do_free(operation); break;
      case OperationKind::kDoubleFree:
      case OperationKind::kForeignFree:
      case OperationKind::kInteriorFree: do_misuse(operation); break;
      case OperationKind::kRead:
      case OperationKind::kWrite:
      case OperationKind::kFlush:
      case OperationKind::kSend:
      case OperationKind::kReceive:
      case OperationKind::kDiscard:
      case OperationKind::kWriteZeroes:
      case OperationKind::kGetId: io_.run_request(operation); break;
    }
  }
}

void Machine::run_handler(const LineSpec& line) {
  if (line.vector != LineSpec::kNoVector) return io_.run_handler(static_cast<uint32_t>(line.vector));
  run_operations(line.operations);
}

void Machine::begin_operation(int slot) {
  Context& context = *current_;
  settle();
  context.operation_slot = slot;
  context.operation = ++operations_;
  context.operation_steps = 0;
  context.page_refused = false;
  context.throw_pc = 0;
  context.irq_at_call = cpus_[index(context.cpu)].irq_enabled;
  context.preempt_at_call = cpus_[index(context.cpu)].preempt_count;
  context.locks_at_call = context.locks_held;
}

void Machine::end_operation() {
  current_->operation_slot = -1;
  current_->watch.active = current_->watch.frozen = false;
  if (closing_) leave_windows(*current_, true);
  outcome_.costs.operation(current_->operation_steps + static_cast<uint64_t>(granted_ - hot_.fuel));
}

void Machine::check_restored(const char* operation) {
  const Context& context = *current_;
  const Cpu& cpu = cpus_[index(context.cpu)];
  if (context.locks_held == context.locks_at_call && cpu.irq_enabled == context.irq_at_call &&
      cpu.preempt_count == context.preempt_at_call) [[likely]] {
    return;
  }
  const auto who = [&] { return short_name(context.id) + " returns from " + operation; };
  if (context.locks_held != context.locks_at_call) {
    die(FailureKind::kLockHeldOnReturn,
        who() + (context.locks_held > context.locks_at_call ? " with a lock that it took there"
                                                          : " having released a lock of its caller"), 0);
  }
  if (cpu.irq_enabled != context.irq_at_call) {
    die(FailureKind::kInterruptsNotRestored,
        who() + (cpu.irq_enabled ? " with interrupts on; they were off" : " with interrupts off; they were on"), 0);
  }
  die(FailureKind::kPreemptionNotRestored,
      who() + " with a preempt count of " + Text::of(cpu.preempt_count) + "; it was " +
          Text::of(context.preempt_at_call), 0);
}

// ---- alloc

void Machine::do_alloc(const Operation& operation) {
  Slot& slot = slots_[operation.slot];
  step(EventKind::kCallAlloc, 0, 0, operation.size);
  set_event_arg(operation.slot);
  if (slot.state != Slot::State::kEmpty) {
    set_event_kind(EventKind::kSkip);
    ++outcome_.skipped_operations;
    return;
  }
  slot.state = Slot::State::kPending;
  const uintptr_t address = take_object(operation.size, operation.slot);
  if (address == 0) {
    slot.state = Slot::State::kEmpty;
    return;
  }
  if (operation.size >= 8) memory_.set_state(address, operation.size & ~7u, kLive);
  fill(address, operation.size);
  slot.state = Slot::State::kFull;
  slot.object = address;
  slot.size = operation.size;
  if (order_.on()) order_.give(order_.object(operation.slot));  // callers hand objects over in good order
}

uintptr_t Machine::take_object(uint32_t size, int slot) {
  begin_operation(slot);
  void* object = nullptr;
  bool thrown = false;
  try {
    object = target_.declaration->alloc(size);
  } catch (...) {
    thrown = true;  // judged below: the exception object must be gone before the fiber is abandoned
  }
  if (thrown) die(FailureKind::kException, short_name(current_->id) + ": an exception left alloc", current_->throw_pc);
  step(EventKind::kReturnAlloc, 0, reinterpret_cast<uintptr_t>(object), size);
  if (slot != kNoSlot) set_event_arg(slot);
  set_event_value(object ? encode(reinterpret_cast<uintptr_t>(object)) : 0);
  check_restored("alloc");
  const auto address = reinterpret_cast<uintptr_t>(object);
  behaviour_ = mix(behaviour_, object ? fill_place(address) : 0);
  if (object == nullptr) {
    // A target that has not asked for a page may live on what it took in init, and be truly full.
    if (!current_->page_refused && pages_asked_) {
      die(FailureKind::kAllocationRefused,
          short_name(current_->id) + " was refused " + size_text(size) + " although no page request had failed", 0);
    }
  } else {
    check_returned_object(size, address);
    Object& entry = objects_.hand_out(address, size);
    entry.holder = current_->id;
    entry.cpu = current_->cpu;
    entry.slot = static_cast<uint16_t>(slot);
  }
  end_operation();
  return address;
}

void Machine::check_returned_object(uint32_t size, uintptr_t object) {
  const size_t alignment = target_.declaration->alignment ? target_.declaration->alignment : 8;
  const auto handed = [&] { return short_name(current_->id) + " was handed " + place_name(object); };
  if (object % alignment != 0) {
    die(FailureKind::kMisalignedObject, handed() + ", not a multiple of " + Text::of(alignment), 0, object);
  }
  // A page that is held has no holes: the ends of an object tell where it lies, and who else holds a part of it.
  const AddressRange page = memory_.in_data(object) ? target_.data : memory_.run_of(object);
  const bool whole = page.contains(object) && page.contains(object + size - 1);
  if (const Object* other = objects_.overlapping_live(object, size)) {
    double_allocation(object, size, *other);
  }
  if (!whole) {
    const bool freed = memory_.in_pages(object) && memory_.state(object) == kFreedPage;
    const Text why = page.size ? ", too short for " + size_text(size)
                     : freed   ? Text(", on a page that was given back")
                               : Text(", which is not in any page it has");
    die(FailureKind::kOutOfRangeObject, handed() + why, 0, object);
  }
}

void Machine::double_allocation(uintptr_t object, uint32_t size, const Object& other) {
  const auto handed = [&] { return short_name(current_->id) + " was handed " + place_name(object); };
  Failure failure;
  failure.kind = FailureKind::kDoubleAllocation;
  failure.message = other.address == object
                        ? handed() + " while " + short_name(other.holder) + " holds it"
                        : handed() + " (" + size_text(size) + "), which overlaps " + place_name(other.address) + " (" +
                              size_text(other.size) + "), held by " + short_name(other.holder);
  failure.evidence.push_back(here(0, "returns the object"));
  failure.evidence.back().has_address = true;
  failure.evidence.back().address = encode(object);
  failure.evidence.emplace_back();
  Evidence& holder = failure.evidence.back();
  holder.has_context = true;
  holder.context = other.holder;
  holder.has_address = true;
  holder.address = encode(other.address);
  holder.what = other.by_driver ? Text("holds the object") : "holds the object in slot " + Text::of(other.slot);
  fail(std::move(failure));
}

// ---- the caller's use of its object

// The same in every process.
uint64_t Machine::fill_place(uintptr_t object) const {
  return memory_.in_pages(object) ? memory_.offset(object) : object - target_.load_base;
}

void Machine::fill(uintptr_t object, uint32_t size) {
  const uint32_t words = size / 8;
  const uint32_t front = words < kFillWords ? words : kFillWords;
  if (words == 0) return;
  memory_.log(object, front * 8);
  auto* word = reinterpret_cast<uint64_t*>(object);
  const uint64_t place = fill_place(object);
  for (uint32_t i = 0; i < front; ++i) word[i] = pattern(place + i);
  if (words > front) {
    memory_.log(object + (words - 1) * 8, 8);
    word[words - 1] = pattern(place + words - 1);
  }
}

void Machine::check_fill(const Object& object) {
  const uint32_t words = object.size / 8;
  const auto* word = reinterpret_cast<const uint64_t*>(object.address);
  const uint64_t place = fill_place(object.address);
  const auto changed = [&](uint32_t i) { return word[i] != pattern(place + i); };
  for (uint32_t i = 0; i < words; i = i + 1 == kFillWords && words > kFillWords ? words - 1 : i + 1) {
    if (!changed(i)) continue;
    die(FailureKind::kLiveObjectOverwritten,
        "the object " + place_name(object.address) + " of " + short_name(object.holder) + " was changed while it was held, at byte " +
            Text::of(i * 8),
        0, object.address + i * 8);
  }
}

// ---- free

int Machine::call_target_free(uintptr_t object) {
  int result = 0;
  bool thrown = false;
  try {
    result = target_.declaration->free(reinterpret_cast<void*>(object));
  } catch (...) {
    thrown = true;
  }
  if (thrown) die(FailureKind::kException, short_name(current_->id) + ": an exception left free", current_->throw_pc);
  return result;
}

void Machine::do_free(const Operation& operation) {
  Slot& slot = slots_[operation.slot];
  step(EventKind::kCallFree, 0, slot.state == Slot::State::kFull ? slot.object : 0, 0);
  set_event_arg(operation.slot);
  if (slot.state != Slot::State::kFull) {
    set_event_kind(EventKind::kSkip);
    ++outcome_.skipped_operations;
    return;
  }
  const uintptr_t address = slot.object;
  slot.state = Slot::State::kEmpty;
  slot.last_freed = address;
  if (order_.on()) order_.take(order_.object(operation.slot));
  if (Object* object = objects_.find(address)) {
    check_fill(*object);
    if (object->size >= 8) memory_.set_state(address, object->size & ~7u, kOwned);
    object->live = false;
    object->freed_by = current_->id;
    outcome_.costs.transfers += object->cpu != current_->cpu;
  }
  return_object(address, operation.slot);
}

void Machine::return_object(uintptr_t address, int slot) {
  begin_operation(slot);
  const int result = call_target_free(address);
  step(EventKind::kReturnFree, 0, address, 0);
  if (slot != kNoSlot) set_event_arg(slot);
  set_event_value(static_cast<uint64_t>(result));
  check_restored("free");
  if (result != 0) {
    die(FailureKind::kFreeRefused, "free refused " + place_name(address) + ", which " + short_name(current_->id) + " held", 0, address);
  }
  end_operation();
}

// True when nobody else can take a step any more: only then is the answer to a misused free the only right one.
bool Machine::alone() const {
  for (const Context* used : used_) {
    const Context& context = *used;
    if (&context == current_ || context.state == ContextState::kUnused || context.state == ContextState::kFinished) continue;
    if (context.id.kind != ContextKind::kWorker || context.state != ContextState::kBlocked) return false;
  }
  for (const Device* device : devices_) {
    if (device->enabled()) return false;
  }
  return !lines_left();
}

void Machine::do_misuse(const Operation& operation) {
  step(EventKind::kCallFree, 0, 0, 0);
  set_event_arg(operation.slot);
  // Only now: the object may have been handed out again while this call waited for its turn.
  Slot& slot = slots_[operation.slot];
  uintptr_t address = 0;
  const char* what = "a pointer that alloc never handed out";
  FailureKind kind = FailureKind::kForeignPointerAccepted;
  if (operation.kind == OperationKind::kDoubleFree) {
    const Object* object = slot.last_freed ? objects_.find(slot.last_freed) : nullptr;
    if (object && !object->live && object->size != 0) address = slot.last_freed;
    what = "a pointer that was freed already";
    kind = FailureKind::kDoubleFreeAccepted;
  } else if (operation.kind == OperationKind::kInteriorFree) {
    if (slot.state == Slot::State::kFull && slot.size > 8) address = slot.object + 8;
    what = "a pointer into the middle of an object";
  } else {
    address = memory_.foreign_object();
  }
  if (address == 0 || !alone()) {
    set_event_kind(EventKind::kSkip);
    ++outcome_.skipped_operations;
    return;
  }
  begin_operation(operation.slot);
  const int result = call_target_free(address);
  step(EventKind::kReturnFree, 0, address, 0);
  set_event_arg(operation.slot);
  set_event_value(static_cast<uint64_t>(result));
  check_restored("free");
  if (result == 0) die(kind, "free accepted " + place_name(address) + ", " + what, 0, address);
  end_operation();
}

// ---- workers

void Machine::run_worker(Context& context) {
  begin_operation(-1);
  bool thrown = false;
  try {
    context.worker_body(context.worker_argument);
  } catch (...) {
    thrown = true;
  }
  if (thrown) die(FailureKind::kException, short_name(context.id) + ": an exception left its body", context.throw_pc);
  check_restored("its body");
}

// ---- the end of a context

void Machine::handler_exit(Context& context) {
  Cpu& cpu = cpus_[index(context.cpu)];
  --cpu.depth;
  lines_[context.id.number].active = false;
  if (order_.on()) order_.give(order_.interrupts(index(context.cpu)));
  event(EventKind::kInterruptReturn, &context, context.cpu, context.id.number);
  cpu.irq_enabled = true;
}

void Machine::finish_context(Context& context) {
  settle();
  close_event();
  if (context.id.kind == ContextKind::kIrq) {
    handler_exit(context);
  } else {
    event(EventKind::kFinish, &context, context.cpu, 0);
    leave_cpu(context);
  }
  context.state = ContextState::kFinished;
  context.pending = {};
  main_.switch_from(context.fiber);
}

}  // namespace plait
