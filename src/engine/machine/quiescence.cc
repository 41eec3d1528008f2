// SPDX-License-Identifier: Apache-2.0
//
// The end of an execution: either everything is done (quiescence), and then the target's invariants and conservation
// must hold, or somebody waits for ever, and then the wait has a name.
#include "machine/machine.h"

namespace plait {

bool Machine::lines_left() const {
  for (size_t line = 0; line < scenario_.lines.size(); ++line) {
    if (lines_[line].fired < scenario_.lines[line].fires || lines_[line].pending || lines_[line].active) return true;
  }
  return false;
}

// A worker that sleeps where it gets its work is idle; one that waits for a lock is not.
bool Machine::quiescent() const {
  for (const Context* used : used_) {
    const Context& context = *used;
    if (context.state == ContextState::kUnused || context.state == ContextState::kFinished) continue;
    const bool idle = context.id.kind == ContextKind::kWorker && context.state == ContextState::kBlocked &&
                      context.blocked_on != BlockedOn::kMutex;
    if (!idle && context.slot != 0) return false;
  }
  return true;
}

const Context* Machine::holder_of(const Context& waiting) const {
  uint64_t holder = 0;
  if (waiting.state == ContextState::kBlocked && waiting.blocked_on == BlockedOn::kMutex) {
    holder = reinterpret_cast<const plait_mutex*>(waiting.waits_for)->owner;
  } else if (waiting.state == ContextState::kReady && waiting.pending.kind == EventKind::kSpinLock) {
    holder = reinterpret_cast<const plait_spinlock*>(waiting.pending.address)->holder;
  }
  return holder == 0 || holder > kSlots ? nullptr : &contexts_[holder - 1];
}

void Machine::stuck_failure(Failure failure) {
  keep_failure(std::move(failure));
}

// Nothing can move although not everybody is done.
void Machine::stuck() {
  Failure failure;
  failure.kind = FailureKind::kDeadlock;
  const Context* sleeper = nullptr;
  for (const Context* used : used_) {
    const Context& context = *used;
    if (context.slot == 0 || (context.state != ContextState::kBlocked && context.state != ContextState::kReady)) continue;
    const Context* holder = holder_of(context);
    if (!holder) {
      if (context.state == ContextState::kBlocked && context.id.kind == ContextKind::kTask && !sleeper) sleeper = &context;
      continue;
    }
    const bool spins = context.state == ContextState::kReady;
    const uintptr_t lock = spins ? context.pending.address : context.waits_for;
    failure.message += (failure.message.empty() ? "" : "; ") + short_name(context.id) + " waits for " +
                       (spins ? "lock " : "mutex ") + place_name(lock) + ", held by " + short_name(holder->id) +
                       (holder->state == ContextState::kFinished ? ", which has finished" : "");
    failure.evidence.push_back(there(context, spins ? "waits for the lock" : "waits for the mutex"));
  }
  if (failure.evidence.empty()) {
    if (lines_left() || !sleeper) {  // an interrupt that did not come may have been what it waits for
      outcome_.verdict = VerdictKind::kGaveUp;
      outcome_.give_up = GiveUp::kWaiting;
      return;
    }
    failure.kind = FailureKind::kLostWakeup;
    failure.message = short_name(sleeper->id) + " waits on " + place_name(sleeper->waits_for) + " and nobody is left to wake it";
    failure.evidence.push_back(there(*sleeper, "waits"));
  }
  stuck_failure(std::move(failure));
}

// ---- judged on the boot fiber, so that a check may die like any other code

void Machine::judge_quiescence() {
  bool anything = target_.declaration->check != nullptr;
  for (const Object& object : objects_.all()) anything = anything || object.live;
  anything = anything || io_.something_to_judge();
  if (!anything) return;
  const uint64_t steps = steps_;
  boot(
      [](Machine& machine) {
        for (const Object& object : machine.objects_.all()) {
          if (object.live && !object.by_driver) machine.check_fill(object);
        }
        if (machine.io_.something_to_judge()) {
          machine.io_.judge_requests();
          machine.io_.judge_driver();
        }
        if (!machine.target_.declaration->check) return;
        machine.target_.declaration->check();
        machine.judge_objects();
        machine.judge_pages();
      },
      Mode::kCheck);
  steps_ = steps;
}

void Machine::judge_objects() {
  for (const Object& object : objects_.all()) {
    if (object.reports > 1) {
      die(FailureKind::kDuplicateFreeObject, place_name(object.address) + " is in " + Text::of(object.reports) + " free places at once", 0,
          object.address);
    }
    if (!object.live && object.size != 0 && object.reports == 0) {
      die(FailureKind::kLostObject,
          place_name(object.address) + ", freed by " + short_name(object.freed_by) + ", is in no free structure and no queue: it is lost", 0, object.address);
    }
  }
  const uint64_t bound = target_.declaration->deferred_bound_plus_1;
  if (bound != 0 && deferred_ >= bound) {
    die(FailureKind::kUnboundedDeferral,
        Text::of(deferred_) + " freed objects are still queued when everything is quiet; the target declares at most " +
            Text::of(bound - 1), 0);
  }
}

void Machine::judge_pages() {
  memory_.each_run([&](AddressRange run, bool taken_in_init) {
    if (taken_in_init) return;
    for (const Object& object : objects_.all()) {
      if (run.contains(object.address) && (object.live || object.reports != 0)) return;
    }
    for (uintptr_t page : reported_pages_) {
      if (run.contains(page)) return;
    }
    die(FailureKind::kPageLeak, "page " + place_name(run.base) + " is held but holds nothing that the target knows of", 0, run.base);
  });
}

void Machine::report_free(const void* object, uint32_t cpu, uint32_t home, uintptr_t pc) {
  if (mode_ != Mode::kCheck) die(FailureKind::kAssertion, "plait_report_free is called outside of check", pc);
  const auto address = reinterpret_cast<uintptr_t>(object);
  if (cpu != home && home != PLAIT_NO_CPU && cpu != PLAIT_NO_CPU) {
    die(FailureKind::kWrongCpuPool,
        place_name(address) + " belongs to CPU " + Text::of(home) + " and is in a free structure of CPU " + Text::of(cpu), pc,
        address);
  }
  Object* entry = objects_.find(address);
  if (!entry) {  // never handed out: only a second report of it would be wrong
    entry = &objects_.hand_out(address, 0);
    entry->live = false;
  }
  if (entry->live) {
    die(FailureKind::kDuplicateFreeObject, place_name(address) + " is in a free structure while " + short_name(entry->holder) + " holds it", pc,
        address);
  }
  ++entry->reports;
}

void Machine::report_deferred(const void* object, uintptr_t pc) {
  report_free(object, PLAIT_NO_CPU, PLAIT_NO_CPU, pc);
  ++deferred_;
}

void Machine::report_page(const void* pages, uintptr_t pc) {
  if (mode_ != Mode::kCheck) die(FailureKind::kAssertion, "plait_report_page is called outside of check", pc);
  reported_pages_.push_back(reinterpret_cast<uintptr_t>(pages));
}

bool Machine::is_live(const void* object) {
  const Object* entry = objects_.find(reinterpret_cast<uintptr_t>(object));
  return entry && entry->live;
}

}  // namespace plait
