// SPDX-License-Identifier: Apache-2.0
#include "live/live.h"

#include <algorithm>

namespace plait {
namespace {

ContextId task_id(uint32_t task) { return {ContextKind::kTask, static_cast<uint8_t>(task), 0}; }

}  // namespace

void Live::prepare() {
  if (load_ == 0 || machine_.loads() != load_) {
    machine_.load(scenario_, limits_);
    load_ = machine_.loads();
  } else {
    machine_.set_programs(scenario_);
  }
}

void Live::run(Script::Then then, const Act& act) {
  prepare();
  script_.ask(then, act);
  settled_ = then == Script::Then::kDefaults;
  RunOptions options{limits_, false, false, settled_};
  last_ = machine_.run(script_, 0, options);
  limits_.shared_stacks = last_.shared_stacks;
  deferred_ = deferred_ && script_.idle();
  stale_ = false;
  // Whoever took the last steps was not asked about since.
  for (const Context* context : machine_.contexts()) {
    if (context->state != ContextState::kUnused || context->id.kind == ContextKind::kDevice) {
      script_.ended(context->id, context->steps);
    }
  }
}

uint32_t Live::steps(ContextId who, int32_t steps, uint8_t choice) {
  const uint32_t left = steps < 0 ? 0u - static_cast<uint32_t>(steps) : 0;
  Act act{Act::Kind::kSteps, who, left != 0 ? kForever : static_cast<uint32_t>(steps), {}, 0, false, choice};
  run(Script::Then::kSteps, act);
  if (left != 0 && !failed() && script_.taken() > 1) {  // now it is known how many there are
    act.steps = script_.taken() > left ? script_.taken() - left : 1;
    run(Script::Then::kSteps, act);
  }
  return keep_steps(act);
}

uint32_t Live::until_opening(ContextId who, uint32_t nth) {
  Act act{Act::Kind::kSteps, who, nth, {}, 0, false, 0};
  run(Script::Then::kOpening, act);
  act.steps = kForever;
  return keep_steps(act);
}

uint32_t Live::keep_steps(Act act) {
  script_.keep();
  if (script_.idle() && !failed() && act.who.kind == ContextKind::kIrq) {  // it will come before what moves next
    act.most = true;
    script_.add(act);
  }
  return script_.taken();
}

bool Live::preempt(uint32_t task) {
  refresh();
  const CpuId cpu = machine_.contexts()[task]->cpu;
  if (scenario_.tasks[task].operations.empty() || machine_.contexts()[task]->state != ContextState::kReady) return false;
  run(Script::Then::kPreempt, {Act::Kind::kSteps, task_id(task), 0, cpu, 0, false, 0});
  script_.keep();
  return script_.done();
}

bool Live::interrupt(uint32_t line, CpuId cpu) {
  const Act act{Act::Kind::kInterrupt, {}, 0, cpu, static_cast<uint8_t>(line), false, 0};
  const bool of_device = scenario_.lines[line].vector != LineSpec::kNoVector;
  scenario_.lines[line].fires += !of_device;
  run(Script::Then::kInterrupt, act);
  if (script_.done()) {
    script_.keep();
    return true;
  }
  if (of_device) return false;
  if (!failed() && script_.idle() && !deferred_) {
    script_.add(act);
    deferred_ = true;
    return true;
  }
  --scenario_.lines[line].fires;
  return false;
}

bool Live::migrate(uint32_t task, CpuId cpu) {
  const Act act{Act::Kind::kMigrate, task_id(task), 0, cpu, 0, false, 0};
  run(Script::Then::kMigrate, act);
  const bool idle = machine_.contexts()[task]->state == ContextState::kFinished;
  if (script_.done()) {
    script_.keep();
  } else if (!failed() && idle) {
    script_.add(act);
  }
  return script_.done() || idle;
}

void Live::settle() {
  run(Script::Then::kDefaults);
  script_.keep();
}

Outcome Live::outcome(bool events) {
  prepare();
  script_.ask(Script::Then::kDefaults);
  stale_ = true;
  return machine_.run(script_, 0, {limits_, true, events, true});
}

void Live::refresh() {
  if (stale_ || machine_.loads() != load_) run(settled_ ? Script::Then::kDefaults : Script::Then::kStop);
}

bool Live::at_hand(uint32_t task) const {
  const Context& context = *machine_.contexts()[task];
  const bool idle = scenario_.tasks[task].operations.empty() || context.state == ContextState::kFinished;
  return idle && closed_to(machine_.cpu(static_cast<uint32_t>(context.cpu))) == 0;
}

bool Live::begun(uint32_t task) const {
  return std::any_of(script_.acts().begin(), script_.acts().end(), [&](const Act& act) { return act.who == task_id(task); });
}

}  // namespace plait
