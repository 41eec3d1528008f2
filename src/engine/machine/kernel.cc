// SPDX-License-Identifier: Apache-2.0
//
// plait/kernel.h: interrupts, preemption, CPU numbers, pages, workers, spinning, the private heap.
#include <algorithm>
#include <cstring>

#include "machine/machine.h"

namespace plait {

void Machine::fence(uint32_t order, uintptr_t pc) {
  step(EventKind::kFence, pc, 0, 0, order << kOrderShift);
  if (order_.on()) order_.fence(order);
}

uint32_t Machine::irq_save(uintptr_t pc) {
  step(EventKind::kIrqSave, pc);
  Cpu& cpu = cpus_[index(current_->cpu)];
  const bool was_on = cpu.irq_enabled;
  if (was_on) interrupts_go_off();
  cpu.irq_enabled = false;
  return was_on;
}

void Machine::irq_restore(uint32_t flags, uintptr_t pc) {
  step(EventKind::kIrqRestore, pc);
  set_interrupts(flags != 0);
  set_event_arg(flags != 0);
  if (flags != 0 && limited_) change();
}

void Machine::set_interrupts(bool on) {
  bool& enabled = cpus_[index(current_->cpu)].irq_enabled;
  if (enabled != on) on ? interrupts_go_on() : interrupts_go_off();
  enabled = on;
}

void Machine::irq_set(bool on, uintptr_t pc) {
  step(on ? EventKind::kIrqOn : EventKind::kIrqOff, pc);
  set_interrupts(on);
  if (on && limited_) change();
}

bool Machine::irq_enabled() const { return cpus_[index(current_->cpu)].irq_enabled; }

void Machine::preempt_disable(uintptr_t pc) {
  step(EventKind::kPreemptDisable, pc);
  int& count = cpus_[index(current_->cpu)].preempt_count;
  if (count == 0) preemption_goes_off();
  ++count;
}

void Machine::preempt_enable(uintptr_t pc) {
  step(EventKind::kPreemptEnable, pc);
  int& count = cpus_[index(current_->cpu)].preempt_count;
  if (count == 0) {
    die(FailureKind::kUnbalancedUnlock, short_name(current_->id) + " enables preemption that it did not disable", pc);
  }
  if (--count != 0) return;
  preemption_goes_on();
  if (limited_) change();
}

bool Machine::preemptible() const {
  const Cpu& cpu = cpus_[index(current_->cpu)];
  return cpu.irq_enabled && cpu.preempt_count == 0 && !in_handler();
}

uint32_t Machine::cpu_id(uintptr_t pc) {
  step(EventKind::kCpuId, pc);
  set_event_value(index(current_->cpu));
  return cpu_now();
}

bool Machine::in_handler() const { return current_->id.kind == ContextKind::kIrq; }

void Machine::worker_start(uint32_t cpu, void (*body)(void*), void* argument, uintptr_t pc) {
  if (mode_ != Mode::kBoot) die(FailureKind::kAssertion, "plait_worker_start is called outside of init", pc);
  if (cpu >= scenario_.cpus) {
    die(FailureKind::kAssertion, "plait_worker_start(" + Text::of(cpu) + ", …): there are " +
                                     Text::of(scenario_.cpus) + " CPUs", pc);
  }
  if (workers_.size() + scenario_.tasks.size() >= kTasksMax) {
    die(FailureKind::kAssertion, "more than " + Text::of(kTasksMax) + " tasks and workers", pc);
  }
  workers_.push_back({cpu, body, argument, current_->in_driver});
}

void* Machine::page_alloc(size_t count, uint32_t flags, uintptr_t pc) {
  if (flags & PLAIT_MAY_SLEEP) need_sleepable("asks for a page, which may sleep,", pc);
  step(EventKind::kPageAlloc, pc, 0, count);
  void* pages = memory_.page_alloc(count);
  pages_asked_ = true;
  outcome_.costs.pages_peak = std::max<uint64_t>(outcome_.costs.pages_peak, memory_.pages_held());
  if (!pages) current_->page_refused = true;
  ++hot_.writes;
  set_event_value(pages ? encode(reinterpret_cast<uintptr_t>(pages)) : 0);
  return pages;
}

void Machine::page_free(void* pages, size_t count, uintptr_t pc) {
  const auto address = reinterpret_cast<uintptr_t>(pages);
  step(EventKind::kPageFree, pc, address, count);
  const auto who = [&] { return short_name(current_->id); };
  const AddressRange range = memory_.run_of(address);
  if (range.base != address || range.size != count * memory_.page_size()) {
    die(FailureKind::kBadPageReturn,
        who() + " gives back " + place_name(address) + ", " + Text::of(count) +
            " page(s), which the supply did not hand out so or has back already",
        pc, address);
  }
  if (const Object* object = objects_.overlapping_live(address, range.size)) {
    die(FailureKind::kBadPageReturn,
        who() + " gives back page " + place_name(address) + " while " + short_name(object->holder) + " holds object " +
            place_name(object->address) + " on it",
        pc, address);
  }
  objects_.forget_freed(address, range.size);
  memory_.page_free(address, count);
  if (order_.on()) order_.forget(address, range.size);
  ++hot_.writes;
}

void Machine::relax(uintptr_t pc) {
  step(EventKind::kRelax, pc);
  if (mode_ != Mode::kRun) return;
  ++outcome_.costs.spins;
  Context& context = *current_;
  context.spinning = true;
  context.spin_writes = hot_.writes;
  // The reads before the first relax went by unseen, so what they saw may have changed already: no reason to wait
  // yet. From now on they are noted one by one.
  if (!context.watch.active) {
    context.spinning = false;
    context.watch = SpinWatch{};
  }
  context.watch.frozen = context.watch.active;
  context.watch.active = true;
  must_ask_ = true;
  drain_fuel();
}

// ---- the target's own malloc and operator new

void* Machine::heap_alloc(size_t size, size_t alignment, uintptr_t) {
  if (target_.declaration->heap == PLAIT_HEAP_SELF) return target_.declaration->alloc(size);
  return memory_.heap_alloc(size, alignment);
}

void Machine::heap_free(void* block, uintptr_t pc) {
  if (block == nullptr) return;
  if (target_.declaration->heap == PLAIT_HEAP_SELF) {
    target_.declaration->free(block);
    return;
  }
  const auto address = reinterpret_cast<uintptr_t>(block);
  const size_t size = memory_.heap_size(address);
  if (order_.on()) order_.forget(address, size);
  if (!memory_.heap_free(address)) {
    die(FailureKind::kAbort, "free() or operator delete of " + place_name(address) + ", which is no block of its heap", pc,
        address);
  }
}

size_t Machine::heap_size(const void* block) const { return memory_.heap_size(reinterpret_cast<uintptr_t>(block)); }

// ---- a Python model beneath native code

const plait_target& Machine::model_beneath(uintptr_t pc) {
  if (!target_.model) die(FailureKind::kAssertion, "plait_model_alloc or plait_model_free is called without a model", pc);
  return *target_.model;
}

// ---- setjmp and longjmp: legal within one operation of one context

void Machine::setjmp_note(const void* buffer, uintptr_t frame) {
  for (SavedJump& jump : jumps_) {
    if (jump.buffer != buffer) continue;
    jump = {buffer, frame, current_->slot, current_->operation};
    return;
  }
  jumps_.push_back({buffer, frame, current_->slot, current_->operation});
}

bool Machine::longjmp_ok(const void* buffer) const {
  for (const SavedJump& jump : jumps_) {
    if (jump.buffer == buffer) return jump.slot == current_->slot && jump.operation == current_->operation;
  }
  return false;
}

}  // namespace plait
