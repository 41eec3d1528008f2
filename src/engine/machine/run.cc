// SPDX-License-Identifier: Apache-2.0
//
// From load to outcome: the target's init, one execution after another from the state that it leaves, and the fibers
// they run on.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "machine/machine.h"

namespace plait {

Machine::Machine(Hot& hot)
    : hot_(hot), memory_(hot), stacks_(kSlots + 1, kStackBytes), order_(hot, Memory::kArenaBytes) {
  enabled_.reserve(256);
  schedule_.reserve(256);
  for (uint32_t slot = 0; slot < kContexts; ++slot) contexts_[slot].slot = static_cast<uint8_t>(slot);
  for (uint32_t i = 0; i < kDevicesMax; ++i) contexts_[kSlots + i].id = {ContextKind::kDevice, static_cast<uint8_t>(i), 0};
  set_black_box(black_box, this);
}

Machine::~Machine() { set_black_box(nullptr, nullptr); }

void Machine::set_target(const TargetImage& image) {
  target_ = image;
  memory_.set_data(image.data, image.constants);
  memory_.set_globals(image.globals_size);
  order_.set_data(image.data.size);
  order_.set_code(image.load_base, image.code_span());
  tls_saved_.assign(kSlots, image.tls_image);
}

Text Machine::context_name(int slot) const {
  if (slot <= 0) return "machine";
  const auto at = static_cast<uint32_t>(slot);
  return full_name(contexts_[at].id);
}

// ---- fibers

Context& Machine::prepare_context(uint32_t slot, ContextId id, CpuId cpu, bool pinned) {
  Context& context = contexts_[slot];
  context.id = id;
  context.state = ContextState::kReady;
  context.cpu = cpu;
  context.pinned = pinned;
  context.interrupted = nullptr;
  context.steps = context.operation_steps = 0;
  context.pending = {};
  context.blocked_on = BlockedOn::kNothing;
  context.lets_go = 0;
  context.prepared = context.woken = context.spinning = false;
  context.windows = context.windows_left = 0;
  context.watch = SpinWatch{};
  context.spin_turn = 0;
  context.page_refused = false;
  context.throw_pc = 0;
  context.locks_held = 0;
  context.irq_off_since = context.preempt_off_since = 0;
  context.operation_slot = -1;
  context.operation = 0;
  context.in_driver = false;
  if (target_.tls.size) tls_saved_[slot] = target_.tls_image;
  context.fiber.prepare(stacks_.stack_lo(slot), stack_top(slot), context_entry, this);
  return context;
}

void Machine::context_entry(void* argument) {
  Machine& machine = *static_cast<Machine*>(argument);
  Context& context = *machine.current_;
  switch (context.id.kind) {
    case ContextKind::kTask: machine.run_operations(machine.scenario_.tasks[context.id.number].operations); break;
    case ContextKind::kIrq: machine.run_handler(machine.scenario_.lines[context.id.number]); break;
    case ContextKind::kWorker: machine.run_worker(context); break;
    case ContextKind::kStart:
    case ContextKind::kDevice: break;
  }
  machine.finish_context(context);
}

void Machine::use_stack_of(const Context& context) {
  const bool shared = limits_.shared_stacks >> context.slot & 1;
  hot_.stack_lo = stacks_.stack_lo(context.slot);
  hot_.stack_size = shared ? 0 : stacks_.stack_bytes();
  hot_.stack_limit = hot_.stack_lo + kStackReserve;
  memory_.let_driver(context.in_driver);
}

void Machine::swap_thread_locals(uint32_t from, uint32_t to) {
  void* block = reinterpret_cast<void*>(target_.tls.base);
  std::memcpy(tls_saved_[from].data(), block, target_.tls.size);
  std::memcpy(block, tls_saved_[to].data(), target_.tls.size);
}

// Switches from the main stack into the context; comes back when the execution is over. Contexts switch among
// themselves; only one that has finished comes by here, because its stack may be needed for the one that is next.
void Machine::enter(Context& first) {
  over_ = false;
  CrashGuard::install();
  CrashGuard::arm(on_crash, this, reinterpret_cast<const volatile uint64_t*>(&hot_.fuel), limits_.hang_ms);
  for (Context* next = &first; next != nullptr; next = over_ ? nullptr : decide()) {
    if (target_.tls.size) {
      std::memcpy(reinterpret_cast<void*>(target_.tls.base), tls_saved_[next->slot].data(), target_.tls.size);
    }
    current_ = next;
    use_stack_of(*next);
    order_runs(*next);
    next->fiber.switch_from(main_);
    while (main_body_) {
      run_main_body();
      current_->fiber.switch_from(main_);
    }
  }
  CrashGuard::disarm();
  if (target_.over) target_.over(target_.over_argument);
  if (target_.tls.size) std::memcpy(reinterpret_cast<void*>(target_.tls.base), target_.tls_image.data(), target_.tls.size);
  hot_.fuel = granted_ = 0;
  hot_.stack_size = hot_.stack_limit = 0;
  memory_.let_driver(false);
}

void Machine::on_main(void (*body)(void*), void* argument) {
  main_body_ = body;
  main_argument_ = argument;
  main_.switch_from(current_->fiber);
}

void Machine::run_main_body() {
  CrashGuard::leave(interrupted_);
  main_body_(main_argument_);
  CrashGuard::reenter();
  main_body_ = nullptr;
}

void Machine::boot_entry(void* argument) {
  Machine& machine = *static_cast<Machine*>(argument);
  bool thrown = false;
  try {
    machine.boot_body_(machine);
  } catch (...) {
    thrown = true;
  }
  if (thrown) machine.die(FailureKind::kException, "an exception left init or check", machine.current_->throw_pc);
  machine.leave_run();
}

void Machine::boot(void (*body)(Machine&), Mode mode) {
  mode_ = mode;
  boot_body_ = body;
  for (Cpu& cpu : cpus_) cpu.reset();
  Context& context = prepare_context(0, {}, CpuId{0}, true);
  context.fiber.prepare(stacks_.stack_lo(0), stacks_.stack_hi(0), boot_entry, this);
  current_ = last_ = &context;
  grant();
  enter(context);
  last_ = nullptr;
  mode_ = Mode::kIdle;
}

// ---- load

void Machine::load(const Scenario& scenario, const Limits& limits) {
  if (&scenario != &scenario_) scenario_ = scenario;
  limits_ = limits;
  ++loads_;
  longest_ = 1;
  memory_.configure(scenario.page_size, scenario.pages);
  workers_.clear();
  objects_.clear();
  init_failed_ = false;
  outcome_ = Outcome{};
  slow_ = recording_ = false;
  closing_ = nullptr;
  const plait_target& target = *target_.declaration;
  for (size_t i = 0; target.knobs && target.knobs[i].name; ++i) {
    const uint64_t value = i < scenario.knobs.size() ? scenario.knobs[i] : target.knobs[i].standard;
    memory_.write64(reinterpret_cast<uintptr_t>(target.knobs[i].value), value);
  }
  if (target.init) boot([](Machine& machine) { machine.target_.declaration->init(); }, Mode::kBoot);
  const std::span<Device* const> devices = io_.load(scenario_, target_.driver);
  devices_ = io_.used() ? std::vector<Device*>(devices.begin(), devices.end()) : own_devices_;
  if (io_.used() && outcome_.verdict == VerdictKind::kPassed) {
    boot([](Machine& machine) { machine.io_.probe(); }, Mode::kBoot);
    io_.snapshot();
  }
  init_failed_ = outcome_.verdict != VerdictKind::kPassed;
  if (init_failed_ && contexts_[0].page_refused) {  // too little memory to begin with says nothing about the target
    outcome_.verdict = VerdictKind::kGaveUp;
    outcome_.give_up = GiveUp::kMemory;
  }
  if (init_failed_) init_outcome_ = outcome_;
  memory_.snapshot();
  count_contexts();
}

void Machine::set_programs(const Scenario& scenario) {
  scenario_.tasks = scenario.tasks;
  scenario_.lines = scenario.lines;
  count_contexts();
}

void Machine::count_contexts() {
  slots_used_ = 0;
  const auto use = [this](const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) slots_used_ = std::max(slots_used_, operation.slot + 1u);
  };
  for (const TaskSpec& task : scenario_.tasks) use(task.operations);
  for (const LineSpec& line : scenario_.lines) use(line.operations);
  for (Context& context : contexts_) context.state = ContextState::kUnused;
  task_count_ = static_cast<uint32_t>(scenario_.tasks.size());
  used_.clear();
  for (uint32_t i = 0; i < task_count_ + workers_.size(); ++i) used_.push_back(&contexts_[1 + i]);
  for (uint32_t i = 0; i < scenario_.lines.size(); ++i) used_.push_back(&contexts_[kHandlerSlot + i]);
  for (uint32_t i = 0; i < devices_.size(); ++i) used_.push_back(&contexts_[kSlots + i]);
  for (uint32_t i = 0; i < used_.size(); ++i) used_[i]->number = static_cast<uint8_t>(i);
}

// ---- run

void Machine::begin_run(const RunOptions& options) {
  memory_.rollback();
  recording_ = options.record || options.events;
  if (recording_) recorder_.begin(options.events);
  closing_ = options.closing;
  exact_ = options.exact;
  slow_ = recording_ || sink_ != nullptr || closing_ != nullptr || target_.declaration->step_invariant != nullptr;
  if (sink_) sink_->begin();
  if (cover_) cover_->begin(static_cast<uint32_t>(used_.size() - scenario_.lines.size()));
  if (limits_.order_checks) {
    order_.begin(static_cast<uint32_t>(used_.size()));
    lock_order_.begin();
  }
  schedule_.clear();
  objects_.clear();
  outcome_ = Outcome{};
  jumps_.clear();
  pages_asked_ = false;
  reported_pages_.clear();
  for (uint32_t cpu = 0; cpu < scenario_.cpus; ++cpu) cpus_[cpu].reset();
  for (Line& line : lines_) line = Line{};
  for (uint32_t slot = 0; slot < slots_used_; ++slot) slots_[slot] = Slot{};
  for (Context* context : used_) context->state = ContextState::kUnused;
  io_.begin();
  for (uint32_t i = 0; i < devices_.size(); ++i) {
    devices_[i]->begin();
    contexts_[kSlots + i].steps = 0;
    contexts_[kSlots + i].interrupted = nullptr;
  }
  for (uint32_t i = 0; i < task_count_; ++i) {
    const TaskSpec& spec = scenario_.tasks[i];
    make_ready(prepare_context(1 + i, {ContextKind::kTask, static_cast<uint8_t>(i), 0}, spec.cpu, spec.pinned));
  }
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    const CpuId cpu{static_cast<uint8_t>(workers_[i].cpu)};
    Context& worker =
        prepare_context(1 + task_count_ + i, {ContextKind::kWorker, static_cast<uint8_t>(i), 0}, cpu, true);
    worker.worker_body = workers_[i].body;
    worker.worker_argument = workers_[i].argument;
    worker.in_driver = workers_[i].in_driver;
    make_ready(worker);
  }
  granted_ = hot_.fuel = quiet_left_ = 0;
  slice_left_ = kSlice;
  must_ask_ = true;
  ask_on_change_ = watching_ = false;
  steps_ = kernel_steps_ = operations_ = wait_serial_ = spin_turns_ = behaviour_ = last_cut_ = deferred_ = 0;
  current_ = last_ = nullptr;
  errno = 0;
}

void Machine::run_once(Strategy& strategy, uint64_t seed, const RunOptions& options) {
  begin_run(options);
  strategy_ = &strategy;
  seed_ = seed;
  strategy.begin(seed, longest_);
  mode_ = Mode::kRun;
  if (Context* first = decide()) enter(*first);
  order_.stop();
  if (options.judge && outcome_.verdict == VerdictKind::kPassed && !retry_) {
    if (quiescent()) {
      judge_quiescence();
    } else {
      stuck();
    }
  }
  if (options.judge) judge_order();
  mode_ = Mode::kIdle;
  if (recording_) recorder_.close(0, false);
}

Outcome Machine::run(Strategy& strategy, uint64_t seed, const RunOptions& options) {
  limits_ = options.limits;
  if (init_failed_) {
    recorder_.begin(options.events);
    steps_ = kernel_steps_ = 0;
    schedule_.clear();
    return outcome_ = init_outcome_;
  }
  do {
    retry_ = false;
    run_once(strategy, seed, options);
  } while (retry_);
  outcome_.steps = steps_;
  longest_ = std::max(longest_, static_cast<uint32_t>(steps_));
  outcome_.accesses = steps_ - kernel_steps_;
  outcome_.behaviour = mix(behaviour_, static_cast<uint64_t>(outcome_.verdict));
  outcome_.cut = last_cut_;
  outcome_.costs.deferred_idle = deferred_;
  outcome_.costs.pages_idle = memory_.pages_held();
  outcome_.shared_stacks = limits_.shared_stacks;
  return outcome_;
}

}  // namespace plait
