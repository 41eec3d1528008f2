// SPDX-License-Identifier: Apache-2.0
//
// Runs that keep windows closed (machine/closing.h): when a context is in one, and whom that keeps from moving.
#include "machine/machine.h"

namespace plait {
namespace {

constexpr uintptr_t kClosingLock = 1;  // as an address: of the lock that closes windows

}  // namespace

// The step is about to happen: nothing can come in between the two.
void Machine::enter_windows(Context& context) {
  const uint64_t pc = relative(context.pending.pc);
  const bool outside = context.windows == 0;
  for (size_t i = 0; i < closing_->windows.size(); ++i) {
    const Closing::Window& window = closing_->windows[i];
    const uint32_t bit = 1u << i;
    if (Closing::has(window.opens, pc)) context.windows |= bit;
    if (Closing::has(window.closes, pc) && (context.windows & bit)) context.windows_left |= bit;
  }
  if (outside && context.windows != 0) order_windows(context, true);
}

// The step that it took last has happened. all: its operation is over.
void Machine::leave_windows(Context& context, bool all) {
  if (context.windows == 0) return;
  context.windows = all ? 0 : context.windows & ~context.windows_left;
  context.windows_left = 0;
  if (context.windows != 0) return;
  order_windows(context, false);
  if (limited_) change();
}

// As if the target had done so itself.
void Machine::order_windows(const Context& context, bool in) {
  if (!order_.on()) return;
  const uint32_t cpu = index(context.cpu);
  const bool handler = context.id.kind == ContextKind::kIrq;
  const auto pass = [&](Sync& sync) { in ? order_.take(sync) : order_.give(sync); };
  if (closing_->guards & kNoInterrupts) pass(order_.interrupts(cpu));
  if (!handler && (closing_->guards & (kNoPreemption | kNoInterrupts))) pass(order_.preemption(cpu));
  if (closing_->guards & kNoOthers) pass(order_.of(kClosingLock));
}

bool Machine::in_window(const Context* context, uint32_t guards) const {
  return closing_ && context && context->windows != 0 && (closing_->guards & guards) != 0;
}

// Whether somebody on another CPU keeps everybody else away: one that can go on, so that the run does.
bool Machine::kept_away(uint32_t cpu) const {
  if (!closing_ || !(closing_->guards & kNoOthers)) return false;
  bool elsewhere = false;
  for (uint32_t at = 0; at < scenario_.cpus; ++at) {
    const Context* top = cpus_[at].top();
    if (!in_window(cpus_[at].running, kNoOthers) && !in_window(top, kNoOthers)) continue;
    if (at == cpu) return false;
    elsewhere = elsewhere || can_go(*top);
  }
  return elsewhere;
}

}  // namespace plait
