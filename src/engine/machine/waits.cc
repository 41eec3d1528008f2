// SPDX-License-Identifier: Apache-2.0
//
// plait/kernel.h: locks and waiting. The words of a lock live in the target's memory, with the holder's context slot
// plus 1 in them, so that they are undone with everything else.
#include "base/check.h"
#include "machine/machine.h"

namespace plait {
namespace {

uintptr_t at(const void* object) { return reinterpret_cast<uintptr_t>(object); }

}  // namespace

// A lock or queue must lie in memory that the target has.
void Machine::check_word(const void* object, size_t size, uintptr_t pc) {
  const uintptr_t address = at(object);
  if (memory_.in_data(address) || (stacks_.contains(address) && !stacks_.in_guard(address))) return;
  check_access(address, size, kRead, pc);
}

void Machine::need_sleepable(const char* what, uintptr_t pc) {
  if (mode_ != Mode::kRun) return;
  const Cpu& cpu = cpus_[index(current_->cpu)];
  const char* reason = in_handler()              ? "in an interrupt handler"
                       : !cpu.irq_enabled        ? "with interrupts off"
                       : cpu.preempt_count != 0  ? "with preemption off"
                                                 : nullptr;
  if (reason) die(FailureKind::kSleepInAtomic, short_name(current_->id) + " " + what + " " + reason, pc);
}

void Machine::might_sleep(uintptr_t pc) {
  need_sleepable("makes a call that may sleep", pc);
  step(EventKind::kMightSleep, pc);
}

// ---- spin lock

void Machine::self_deadlock(uintptr_t lock, uint64_t holder, uintptr_t pc) {
  const Context& owner = contexts_[holder - 1];
  const bool self = &owner == current_;
  die(FailureKind::kSelfDeadlock,
      short_name(current_->id) + " waits for lock " + place_name(lock) + ", which " +
          (self ? Text("it holds itself")
                : short_name(owner.id) + " holds, and that cannot go on before " + short_name(current_->id) + " returns"),
      pc, lock);
}

void Machine::damaged_lock(uintptr_t lock, uintptr_t pc) {
  die(FailureKind::kUnbalancedUnlock,
      short_name(current_->id) + " takes lock " + place_name(lock) + ", whose word nobody wrote as a lock (not initialised?)",
      pc, lock);
}

void Machine::spin_lock(plait_spinlock* lock, uintptr_t pc) {
  check_word(lock, sizeof *lock, pc);
  if (lock->holder > kSlots) damaged_lock(at(lock), pc);
  if (lock->holder != 0) {
    const Context& owner = contexts_[lock->holder - 1];
    const Cpu& cpu = cpus_[index(current_->cpu)];
    bool below = mode_ == Mode::kRun && in_handler() && &owner == cpu.running;
    for (uint32_t i = 0; in_handler() && i < cpu.depth; ++i) below = below || cpu.handlers[i] == &owner;
    if (&owner == current_ || below || mode_ != Mode::kRun) self_deadlock(at(lock), lock->holder, pc);
    ++outcome_.costs.spins;
    drain_fuel();
  }
  step(EventKind::kSpinLock, pc, at(lock), sizeof *lock);
  check_word(lock, sizeof *lock, pc);  // again: the page may have gone while it waited
  if (memory_.meta(at(lock))) memory_.log(at(lock), sizeof *lock);
  lock->holder = uint64_t{current_->slot} + 1;
  lock_taken(lock, pc, true);
  ++hot_.writes;
  ++current_->locks_held;
}

bool Machine::spin_trylock(plait_spinlock* lock, uintptr_t pc) {
  check_word(lock, sizeof *lock, pc);
  step(EventKind::kSpinTrylock, pc, at(lock), sizeof *lock);
  check_word(lock, sizeof *lock, pc);
  const bool taken = lock->holder == 0;
  set_event_value(taken);
  if (taken) {
    if (memory_.meta(at(lock))) memory_.log(at(lock), sizeof *lock);
    lock->holder = uint64_t{current_->slot} + 1;
    lock_taken(lock, pc, false);
    ++hot_.writes;
    ++current_->locks_held;
  }
  return taken;
}

void Machine::spin_unlock(plait_spinlock* lock, uintptr_t pc) {
  check_word(lock, sizeof *lock, pc);
  step(EventKind::kSpinUnlock, pc, at(lock), sizeof *lock);
  if (lock->holder != uint64_t{current_->slot} + 1) {
    const Text holder =
        lock->holder == 0 || lock->holder > kSlots ? Text("nobody holds") : short_name(contexts_[lock->holder - 1].id) + " holds";
    die(FailureKind::kUnbalancedUnlock,
        short_name(current_->id) + " releases lock " + place_name(at(lock)) + ", which " + holder, pc, at(lock));
  }
  if (memory_.meta(at(lock))) memory_.log(at(lock), sizeof *lock);
  lock->holder = 0;
  lock_released(lock);
  ++hot_.writes;
  --current_->locks_held;
  change();
}

// ---- blocking

// Takes the running task off its CPU until it is woken. Being resumed counts as a step of its own, so that no two
// decision points have the same anchor.
void Machine::block(BlockedOn what, uintptr_t object, uintptr_t pc) {
  Context& context = *current_;
  settle();
  ENGINE_CHECK(mode_ == Mode::kRun);
  close_event();
  context.pending = {EventKind::kWait, 0, object, 0, pc};
  outcome_.costs.waits += context.id.kind == ContextKind::kTask;
  context.state = ContextState::kBlocked;
  context.blocked_on = what;
  context.waits_for = object;
  context.wait_order = ++wait_serial_;
  leave_cpu(context);
  transfer(decide());
  if (context.id.kind == ContextKind::kWorker) context.operation_steps = 0;
  if (order_.on()) order_.woken();
  context.pending.kind = EventKind::kWoken;
  context.pending.address = 0;
  close_event();
  note_step(context);
  must_ask_ = true;
  grant();
}

uint32_t Machine::wake_waiters(BlockedOn what, uintptr_t object, bool all) {
  uint32_t count = 0;
  for (;;) {
    Context* first = nullptr;
    uint64_t first_order = 0;
    bool first_waits = false;
    for (Context* used : used_) {
    Context& context = *used;
      if (context.state == ContextState::kUnused) continue;
      const bool waits = context.state == ContextState::kBlocked && context.blocked_on == what && context.waits_for == object;
      const bool prepared =
          what == BlockedOn::kWaitQueue && context.prepared && !context.woken && context.prepared_on == object;
      const uint64_t order = waits ? context.wait_order : context.prepared_order;
      if ((waits || prepared) && (!first || order < first_order)) {
        first = &context;
        first_order = order;
        first_waits = waits;
      }
    }
    if (!first) return count;
    if (order_.on()) order_.wake(first->number);
    if (first_waits) {
      make_ready(*first);
    } else {
      first->woken = true;  // it may well be blocked elsewhere, on a mutex say
    }
    ++count;
    ++hot_.writes;
    change();
    if (!all) return count;
  }
}

void Machine::wait(plait_wait_queue* queue, uintptr_t pc) {
  need_sleepable("waits", pc);
  check_word(queue, sizeof *queue, pc);
  if (mode_ != Mode::kRun) die(FailureKind::kDeadlock, "init or check waits, and nobody else runs", pc);
  step(EventKind::kWait, pc, at(queue), sizeof *queue);
  block(BlockedOn::kWaitQueue, at(queue), pc);
}

void Machine::wait_prepare(plait_wait_queue* queue, uintptr_t pc) {
  check_word(queue, sizeof *queue, pc);
  step(EventKind::kWaitPrepare, pc, at(queue), sizeof *queue);
  current_->prepared = true;
  current_->woken = false;
  current_->prepared_on = at(queue);
  current_->prepared_order = ++wait_serial_;
}

void Machine::wait_commit(plait_wait_queue* queue, uintptr_t pc) {
  if (!queue) {  // on whatever the context is prepared for
    if (!current_->prepared && !current_->woken) return might_sleep(pc);
    queue = reinterpret_cast<plait_wait_queue*>(current_->prepared_on);
  }
  need_sleepable("waits", pc);
  check_word(queue, sizeof *queue, pc);
  if (mode_ != Mode::kRun) die(FailureKind::kDeadlock, "init or check waits, and nobody else runs", pc);
  step(EventKind::kWaitCommit, pc, at(queue), sizeof *queue);
  const bool woken = current_->woken;
  current_->prepared = current_->woken = false;
  if (!woken) return block(BlockedOn::kWaitQueue, at(queue), pc);
  if (order_.on()) order_.woken();
}

void Machine::wait_cancel(plait_wait_queue* queue, uintptr_t pc) {
  step(EventKind::kWaitCancel, pc, at(queue), sizeof *queue);
  current_->prepared = current_->woken = false;
}

void Machine::wake(plait_wait_queue* queue, bool all, uintptr_t pc) {
  check_word(queue, sizeof *queue, pc);
  step(EventKind::kWake, pc, at(queue), sizeof *queue);
  set_event_arg(wake_waiters(BlockedOn::kWaitQueue, at(queue), all));
}

// ---- mutex

// A handler runs as the task that it interrupted; on an idle CPU as itself, even when a task comes there meanwhile.
Context& Machine::owner_task(Context& context) { return context.interrupted ? *context.interrupted : context; }

void Machine::lock_mutex(plait_mutex* mutex, uintptr_t pc) {
  for (;;) {
    const uint64_t me = uint64_t{owner_task(*current_).slot} + 1;
    if (memory_.meta(at(mutex))) memory_.log(at(mutex), sizeof *mutex);
    if (mutex->owner == 0 || (mutex->owner == me && (mutex->flags & PLAIT_MUTEX_RECURSIVE))) {
      mutex->owner = me;
      ++mutex->depth;
      lock_taken(mutex, pc, true);
      ++hot_.writes;
      ++current_->locks_held;
      return;
    }
    if (mutex->owner > kSlots) damaged_lock(at(mutex), pc);
    need_sleepable("waits for a mutex", pc);
    if (mutex->owner == me) self_deadlock(at(mutex), mutex->owner, pc);
    if (mode_ != Mode::kRun) die(FailureKind::kDeadlock, "init or check waits for a mutex, and nobody else runs", pc);
    block(BlockedOn::kMutex, at(mutex), pc);
  }
}

void Machine::mutex_lock(plait_mutex* mutex, uintptr_t pc) {
  check_word(mutex, sizeof *mutex, pc);
  if (!(mutex->flags & PLAIT_MUTEX_CHECK_WHEN_WAITING)) need_sleepable("locks a mutex", pc);
  step(EventKind::kMutexLock, pc, at(mutex), sizeof *mutex);
  check_word(mutex, sizeof *mutex, pc);
  lock_mutex(mutex, pc);
}

bool Machine::mutex_trylock(plait_mutex* mutex, uintptr_t pc) {
  check_word(mutex, sizeof *mutex, pc);
  step(EventKind::kMutexTrylock, pc, at(mutex), sizeof *mutex);
  const uint64_t me = uint64_t{owner_task(*current_).slot} + 1;
  const bool free = mutex->owner == 0 || (mutex->owner == me && (mutex->flags & PLAIT_MUTEX_RECURSIVE));
  set_event_value(free);
  if (free) lock_mutex(mutex, pc);
  return free;
}

bool Machine::release_mutex(plait_mutex* mutex, uintptr_t pc) {
  const uint64_t me = uint64_t{owner_task(*current_).slot} + 1;
  if (mutex->owner != me) {
    const bool known = mutex->owner != 0 && mutex->owner <= kSlots;
    die(FailureKind::kUnbalancedUnlock,
        short_name(current_->id) + " releases mutex " + place_name(at(mutex)) + ", which " +
            (known ? short_name(contexts_[mutex->owner - 1].id) + " holds" : Text("nobody holds")),
        pc, at(mutex));
  }
  if (memory_.meta(at(mutex))) memory_.log(at(mutex), sizeof *mutex);
  ++hot_.writes;
  --current_->locks_held;
  if (--mutex->depth != 0) return false;
  mutex->owner = 0;
  lock_released(mutex);
  wake_waiters(BlockedOn::kMutex, at(mutex), false);
  return true;
}

void Machine::mutex_unlock(plait_mutex* mutex, uintptr_t pc) {
  check_word(mutex, sizeof *mutex, pc);
  step(EventKind::kMutexUnlock, pc, at(mutex), sizeof *mutex);
  release_mutex(mutex, pc);
  change();
}

void Machine::wait_mutex(plait_wait_queue* queue, plait_mutex* mutex, uintptr_t pc) {
  need_sleepable("waits", pc);
  check_word(queue, sizeof *queue, pc);
  check_word(mutex, sizeof *mutex, pc);
  if (mode_ != Mode::kRun) die(FailureKind::kDeadlock, "init or check waits, and nobody else runs", pc);
  current_->lets_go = at(mutex);
  step(EventKind::kWait, pc, at(queue), sizeof *queue);
  current_->lets_go = 0;
  if (!release_mutex(mutex, pc)) {
    die(FailureKind::kDeadlock, short_name(current_->id) + " waits with a mutex that it took more than once", pc);
  }
  block(BlockedOn::kWaitQueue, at(queue), pc);
  mutex_lock(mutex, pc);
}

// ---- semaphore

void Machine::sem_down(plait_semaphore* semaphore, uintptr_t pc) {
  need_sleepable("takes a semaphore", pc);
  check_word(semaphore, sizeof *semaphore, pc);
  step(EventKind::kSemDown, pc, at(semaphore), sizeof *semaphore);
  while (semaphore->count <= 0) {
    if (mode_ != Mode::kRun) die(FailureKind::kDeadlock, "init or check waits, and nobody else runs", pc);
    block(BlockedOn::kSemaphore, at(semaphore), pc);
  }
  if (memory_.meta(at(semaphore))) memory_.log(at(semaphore), sizeof *semaphore);
  --semaphore->count;
  took(semaphore);
  ++hot_.writes;
}

bool Machine::sem_trydown(plait_semaphore* semaphore, uintptr_t pc) {
  check_word(semaphore, sizeof *semaphore, pc);
  step(EventKind::kSemTrydown, pc, at(semaphore), sizeof *semaphore);
  const bool taken = semaphore->count > 0;
  set_event_value(taken);
  if (taken) {
    if (memory_.meta(at(semaphore))) memory_.log(at(semaphore), sizeof *semaphore);
    --semaphore->count;
    took(semaphore);
    ++hot_.writes;
  }
  return taken;
}

void Machine::sem_up(plait_semaphore* semaphore, uintptr_t pc) {
  check_word(semaphore, sizeof *semaphore, pc);
  step(EventKind::kSemUp, pc, at(semaphore), sizeof *semaphore);
  if (memory_.meta(at(semaphore))) memory_.log(at(semaphore), sizeof *semaphore);
  ++semaphore->count;
  if (order_.on()) order_.add(order_.of(at(semaphore)));
  ++hot_.writes;
  wake_waiters(BlockedOn::kSemaphore, at(semaphore), false);
}

}  // namespace plait
