// SPDX-License-Identifier: Apache-2.0
//
// When an event can come next, and what is then: the rules of machine.md for who runs where.
#include <algorithm>

#include "explore/linearizer.h"

namespace plait {

// ---- threads of a CPU

void Linearizer::State::join(uint8_t thread) {
  const uint8_t at = cpu[thread];
  threads[at][count[at]++] = thread;
  asleep &= ~(1u << thread);
}

void Linearizer::State::leave(uint8_t thread) {
  auto& own = threads[cpu[thread]];
  const auto end = own.begin() + count[cpu[thread]]--;
  std::copy(std::find(own.begin(), end, thread) + 1, end, std::find(own.begin(), end, thread));
}

// Who ran so far goes to the end of the queue.
void Linearizer::State::run(uint8_t thread) {
  auto& own = threads[cpu[thread]];
  if (own[0] == thread) return;
  const uint8_t before = own[0];
  leave(before);
  leave(thread);
  std::copy_backward(own.begin(), own.begin() + count[cpu[thread]], own.begin() + count[cpu[thread]] + 1);
  own[0] = thread;
  ++count[cpu[thread]];
  join(before);
}

bool Linearizer::State::runs(uint8_t thread) const { return count[cpu[thread]] != 0 && threads[cpu[thread]][0] == thread; }

// ---- what an event changes

// False: it would be a preemption too many.
bool Linearizer::take(uint32_t number, State& state) {
  const uint8_t process = process_of(number);
  const Decision& decision = decision_of(number);
  if (decision.kind == Decision::Kind::kRun && preempts(process, state) && ++state.spent > preemptions_) return false;
  order_.push_back(number);
  ++state.done[process];
  --state.left;
  if (decision.kind == Decision::Kind::kMigrate) {
    state.leave(decision.process);
    state.cpu[decision.process] = decision.cpu;
    state.join(decision.process);
    --state.moves[decision.process];
    return true;
  }
  if (decision.kind != Decision::Kind::kDevice) state.last = process;  // a device is beside the CPUs
  if (is_interrupt(decision)) {
    --state.interrupts;
    state.handlers[decision.cpu][state.depth[decision.cpu]++] = process;
  }
  if (guide_.is_handler(process)) {
    if (state.done[process] == total_[process] && over(process)) --state.depth[decision.cpu];
  } else if (guide_.is_thread(process)) {
    state.run(process);
    if (sleeps(process, state)) {
      state.leave(process);
      state.asleep |= 1u << process;
    }
  }
  for (uint32_t left = state.asleep; left != 0; left &= left - 1) {
    const auto thread = static_cast<uint8_t>(__builtin_ctz(left));
    if (known_[thread] != 0 && !sleeps(thread, state)) state.join(thread);
  }
  return true;
}

// Until somebody wakes it, or for ever, as it is done.
bool Linearizer::sleeps(uint8_t thread, const State& state) const {
  const uint32_t next = next_of(thread, state);
  if (next == kNone) return over(thread);
  return next != kOption && guide_.taken()[next].waits == Guide::Waits::kWoken && waits(next, state);
}

// Of its CPU.
bool Linearizer::on_top(uint8_t process, const State& state) const {
  if (guide_.is_handler(process)) return innermost(decision_of(event_of(process, 0)).cpu, state) == process;
  return innermost(state.cpu[process], state) == kNobody && state.runs(process);
}

// Whether who took the last step could take the next, and it is another's.
bool Linearizer::preempts(uint8_t process, const State& state) const {
  const uint8_t last = state.last;
  if (!bounded() || last == kNobody || last == process) return false;
  if (!on_top(last, state)) return false;
  const uint32_t next = next_of(last, state);
  return next == kNone || next == kOption || !waits(next, state);
}

// Who takes the step that is new goes on in another way than it did.
bool Linearizer::over(uint8_t process) const { return process != process_of(second_) && guide_.over(process); }

uint32_t Linearizer::event_of(uint8_t process, uint32_t index) const {
  if (second_ == kOption && process == option_process_ && index == option_index_) return kOption;
  return guide_.causality().event_of(process, index);
}

uint32_t Linearizer::next_of(uint8_t process, const State& state) const {
  if (second_ == kOption && process == option_process_ && state.done[process] == option_index_) return kOption;
  return state.done[process] < known_[process] ? guide_.causality().event_of(process, state.done[process]) : kNone;
}

bool Linearizer::has_past(uint32_t number, const State& state) const {
  const Causality::Clock& past = number == second_ ? needs_ : guide_.causality().events()[number].past;
  const uint8_t own = process_of(number);
  for (uint8_t process = 0; process < past.size(); ++process) {
    if (process != own && past[process] > state.done[process]) return false;
  }
  return true;
}

bool Linearizer::waits(uint32_t number, const State& state) const {
  const Guide::Taken& taken = guide_.taken()[number];
  const Causality& causality = guide_.causality();
  switch (taken.waits) {
    case Guide::Waits::kNo: return false;
    case Guide::Waits::kWoken: {
      if (taken.woken_by == kNone) return !has_past(number, state);
      const Causality::Event& waker = causality.events()[taken.woken_by];
      return state.done[waker.process] <= waker.index;
    }
    case Guide::Waits::kLock: return !causality.lock_is_free(number, state.done);
  }
  return false;
}

bool Linearizer::ready(uint32_t number, const State& state) const {
  // A step that nobody knows is the last one: who takes it goes on.
  if (second_ == kOption && option_.kind == Decision::Kind::kRun && state.done[option_process_] > option_index_) return false;
  if (index_of(number) != state.done[process_of(number)] || !has_past(number, state)) return false;
  switch (decision_of(number).kind) {
    case Decision::Kind::kRun: return may_run(number, state);
    case Decision::Kind::kInterrupt:
    case Decision::Kind::kRaised: return may_interrupt(number, state);
    case Decision::Kind::kMigrate: return may_move(number, state);
    case Decision::Kind::kDevice: return true;
  }
  return true;
}

// kNobody: there is no handler.
uint8_t Linearizer::innermost(uint8_t cpu, const State& state) const {
  return state.depth[cpu] == 0 ? kNobody : state.handlers[cpu][state.depth[cpu] - 1];
}

// Whether the innermost handler of this CPU, or who runs there, keeps handlers out, or tasks.
bool Linearizer::keeps_out(uint8_t cpu, bool handlers, const State& state) const {
  uint8_t top = innermost(cpu, state);
  if (top == kNobody && state.count[cpu] != 0) top = state.threads[cpu][0];
  if (top == kNobody) return false;
  const uint32_t next = next_of(top, state);
  if (next == kNone || next == kOption) return guide_.is_handler(top);
  const Guide::Taken& taken = guide_.taken()[next];
  return state.done[top] != 0 && (handlers ? taken.keeps_handlers_out : taken.keeps_tasks_out);
}

bool Linearizer::may_run(uint32_t number, const State& state) const {
  const uint8_t process = process_of(number);
  if (guide_.is_handler(process)) return innermost(decision_of(number).cpu, state) == process;
  if (!guide_.is_thread(process)) return true;
  const uint8_t cpu = state.cpu[process];
  if (innermost(cpu, state) != kNobody || (state.asleep >> process & 1) != 0) return false;
  return state.runs(process) || !keeps_out(cpu, false, state);
}

bool Linearizer::may_interrupt(uint32_t number, const State& state) const {
  const Decision& decision = decision_of(number);
  if (keeps_out(decision.cpu, true, state)) return false;
  return decision.kind == Decision::Kind::kRaised || somebody_can_go(decision.process, state);
}

bool Linearizer::may_move(uint32_t number, const State& state) const {
  const Decision& decision = decision_of(number);
  const uint8_t task = decision.process;
  if (state.cpu[task] == decision.cpu || (state.asleep >> task & 1) != 0) return false;
  if (!state.runs(task)) return true;
  const uint32_t next = next_of(task, state);
  return state.depth[state.cpu[task]] == 0 && (next == kNone || next == kOption || !guide_.taken()[next].keeps_tasks_out);
}

// Whose next step is known, and does not wait for anybody.
bool Linearizer::somebody_can_go(uint8_t handler, const State& state) const {
  for (uint8_t process = 0; process < planned_.size(); ++process) {
    if (process == handler || state.done[process] >= total_[process]) continue;
    const uint32_t next = next_of(process, state);
    if (next == kOption) {
      if (option_.kind == Decision::Kind::kRun) return true;
      continue;
    }
    const Guide::Taken& taken = guide_.taken()[next];
    if (taken.decision.kind != Decision::Kind::kRun && taken.decision.kind != Decision::Kind::kDevice) continue;
    if (!waits(next, state)) return true;
  }
  return false;
}

// A step after which its process keeps somebody out whom it has not kept out so far.
bool Linearizer::enters(uint32_t number) const {
  const uint8_t process = process_of(number);
  const uint32_t next = index_of(number) + 1;
  if (next >= known_[process]) return false;
  const Guide::Taken& now = guide_.taken()[number];
  const Guide::Taken& then = guide_.taken()[guide_.causality().event_of(process, next)];
  return (then.keeps_tasks_out && !now.keeps_tasks_out) || (then.keeps_handlers_out && !now.keeps_handlers_out);
}

// A step after which its process has nothing more to do, or may have to wait.
bool Linearizer::may_leave(uint32_t number) const {
  const uint8_t process = process_of(number);
  const uint32_t next = index_of(number) + 1;
  if (number == second_) return true;
  if (next == total_[process]) return over(process);
  return next < known_[process] && guide_.taken()[guide_.causality().event_of(process, next)].waits != Guide::Waits::kNo;
}

// A step that may keep somebody from something. Who waits or is done cannot be moved, and no interrupt comes for him alone.
// With a bound on preemptions, who can go on is one that may have to be preempted.
bool Linearizer::decides(uint32_t number, const State& state) const {
  const Decision& decision = decision_of(number);
  if (decision.kind == Decision::Kind::kDevice) return false;
  if (number == second_ || decision.kind != Decision::Kind::kRun || state.moves[decision.process] != 0 || enters(number)) return true;
  return (state.interrupts != 0 && may_leave(number)) || (bounded() && guide_.taken()[number].lets_go);
}

}  // namespace plait
