// SPDX-License-Identifier: Apache-2.0
//
// The deterministic machine: CPUs, contexts, memory and the rules by which they take steps. machine.md is the normative
// text. Executes (target, scenario, schedule) and returns a verdict; the schedule, always recorded, is a Strategy's.
//
// One function decides (decide.cc), one announces (step.cc); kernel.cc and waits.cc are what plait/kernel.h promises,
// operations.cc runs the programs and judges what alloc and free answered, quiescence.cc judges the end.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hot.h"
#include "base/names.h"
#include "check/lock_order.h"
#include "check/objects.h"
#include "check/order.h"
#include "fiber/crash.h"
#include "fiber/fiber.h"
#include "machine/image.h"
#include "machine/io.h"
#include "machine/outcome.h"
#include "machine/scenario.h"
#include "machine/state.h"
#include "machine/strategy.h"
#include "memory/memory.h"
#include "plait/target.h"
#include "task/context.h"
#include "trace/access_sink.h"
#include "trace/recorder.h"

namespace plait {

class Machine : private Moves {
  friend class Io;

 public:
  static constexpr uint32_t kHandlerSlot = 1 + kTasksMax;  // slot 0 boots and checks; then tasks and workers
  static constexpr uint32_t kSlots = kHandlerSlot + kLinesMax;
  static constexpr uint32_t kContexts = kSlots + kDevicesMax;  // devices have no stack
  static constexpr uintptr_t kNoAddress = ~uintptr_t{0};

  explicit Machine(Hot& hot);  // what the target's hooks read: only one machine runs at a time in a process
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void set_target(const TargetImage& image);
  void set_thread_locals(AddressRange block) { target_.tls = block; }  // of the thread that runs now
  void set_sink(AccessSink* sink) { sink_ = sink; }
  void set_cover(Cover* cover) { order_.set_cover(cover_ = cover); }  // for executions to count into; null: none
  void set_devices(std::vector<Device*> devices) { devices_ = own_devices_ = std::move(devices); }
  Io& io() { return io_; }
  const Device& device(uint32_t number) const { return *devices_[number]; }  // of this scenario

  // Runs the target's init under this scenario; executions start from the state that it leaves.
  void load(const Scenario& scenario, const Limits& limits);
  void set_programs(const Scenario& scenario);  // others, of as many tasks, on what was loaded; what init left stays
  uint32_t workers() const { return static_cast<uint32_t>(workers_.size()); }  // that init started
  uint64_t loads() const { return loads_; }  // changes with every load, whoever asked for it
  uint32_t longest() const { return longest_; }  // execution since the load, in steps: what strategies are told
  void set_longest(uint32_t steps) { longest_ = steps; }
  // `seed` goes to the strategy. Runs again from the start, unseen, when it finds that a stack is shared.
  Outcome run(Strategy& strategy, uint64_t seed, const RunOptions& options);
  const std::vector<Deviation>& schedule() const { return schedule_; }  // of the last run
  const Recorder& recorder() const { return recorder_; }
  std::span<Context* const> contexts() const { return used_; }  // and objects: as the last run left them
  const Objects& objects() const { return objects_; }
  const Cpu& cpu(uint32_t number) const { return cpus_[number]; }
  Text context_name(int slot) const;
  uint64_t encode(uintptr_t address) const;
  uint64_t relative(uintptr_t pc) const;  // to the target's code; 0: not in it
  const Scenario& scenario() const { return scenario_; }
  Hot& hot() { return hot_; }
  Memory& memory() { return memory_; }
  // ---- what the runtime table calls (on the fiber of the running context)
  void access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void order(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) { order_.access(address, size, kind, pc); }
  void fence(uint32_t order, uintptr_t pc);
  uint32_t irq_save(uintptr_t pc);
  void irq_restore(uint32_t flags, uintptr_t pc);
  void irq_set(bool on, uintptr_t pc);
  bool irq_enabled() const;
  void preempt_disable(uintptr_t pc);
  void preempt_enable(uintptr_t pc);
  bool preemptible() const;
  uint32_t cpu_id(uintptr_t pc);
  uint32_t cpu_now() {  // as cpu_id, without a step
    if (order_.on()) order_.read_cpu(index(current_->cpu));
    return index(current_->cpu);
  }
  uint32_t cpu_count() const { return scenario_.cpus; }
  bool preemption_off() const { return cpus_[index(current_->cpu)].preempt_count != 0; }
  bool in_handler() const;
  void spin_lock(plait_spinlock* lock, uintptr_t pc);
  bool spin_trylock(plait_spinlock* lock, uintptr_t pc);
  void spin_unlock(plait_spinlock* lock, uintptr_t pc);
  void mutex_lock(plait_mutex* mutex, uintptr_t pc);
  bool mutex_trylock(plait_mutex* mutex, uintptr_t pc);
  void mutex_unlock(plait_mutex* mutex, uintptr_t pc);
  void wait(plait_wait_queue* queue, uintptr_t pc);
  void wait_prepare(plait_wait_queue* queue, uintptr_t pc);
  void wait_commit(plait_wait_queue* queue, uintptr_t pc);
  void wait_cancel(plait_wait_queue* queue, uintptr_t pc);
  void wait_mutex(plait_wait_queue* queue, plait_mutex* mutex, uintptr_t pc);
  void wake(plait_wait_queue* queue, bool all, uintptr_t pc);
  void sem_down(plait_semaphore* semaphore, uintptr_t pc);
  bool sem_trydown(plait_semaphore* semaphore, uintptr_t pc);
  void sem_up(plait_semaphore* semaphore, uintptr_t pc);
  void might_sleep(uintptr_t pc);
  void worker_start(uint32_t cpu, void (*body)(void*), void* argument, uintptr_t pc);
  size_t page_size() const { return scenario_.page_size; }
  void* page_alloc(size_t count, uint32_t flags, uintptr_t pc);
  void page_free(void* pages, size_t count, uintptr_t pc);
  void relax(uintptr_t pc);
  void report_free(const void* object, uint32_t cpu, uint32_t home, uintptr_t pc);
  void report_deferred(const void* object, uintptr_t pc);
  void report_page(const void* pages, uintptr_t pc);
  bool is_live(const void* object);
  void* heap_alloc(size_t size, size_t alignment, uintptr_t pc);
  void heap_free(void* block, uintptr_t pc);
  void* model_alloc(size_t size, uintptr_t pc) { return model_beneath(pc).alloc(size); }
  int model_free(void* object, uintptr_t pc) { return model_beneath(pc).free(object); }
  size_t heap_size(const void* block) const;
  // Ends the execution with a failure at this place; never returns.
  [[noreturn]] void die(FailureKind kind, const Text& message, uintptr_t pc, uintptr_t address = kNoAddress);
  // The same with the calls that led there, innermost first.
  [[noreturn]] void die_in(FailureKind kind, const Text& message, std::span<const uintptr_t> calls);
  [[noreturn]] void hang_in(std::span<const uintptr_t> calls);
  [[noreturn]] void give_up(GiveUp reason);
  [[noreturn]] void stack_overflow(uintptr_t pc);
  void setjmp_note(const void* buffer, uintptr_t frame);
  bool longjmp_ok(const void* buffer) const;
  void throw_note(uintptr_t pc) { current_->throw_pc = pc; }
  // Runs `body` on the main stack and comes back: an interpreter may not run on a fiber. Its crashes are its own, and
  // what hangs in it is told to `interrupted` (async-signal-safe), not abandoned.
  void on_main(void (*body)(void*), void* argument);
  void set_interrupted(void (*interrupted)()) { interrupted_ = interrupted; }
  bool has_fuel() const { return hot_.fuel > 0; }  // then, from there, a step that cannot fail may be taken without a fiber
  // Takes the step of an access within a granule when that needs no decision and is legal; false: use access().
  bool take_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
    uint32_t* meta = memory_.meta(address);
    return meta && (*meta & kStateMask) == kOwned && take_granted(meta, address, size, kind, pc);
  }
  Text who() const { return current_ && current_->slot ? short_name(current_->id) : Text("init or check"); }
  void raise_line(uint32_t line) { lines_[line].pending = true; }  // for devices
 private:
  enum class Mode : uint8_t { kIdle, kBoot, kRun, kCheck };
  static constexpr uint32_t kSlice = 256;  // visible operations between two looks for a silent spin
  static constexpr size_t kStackBytes = 128 * 1024;
  static constexpr size_t kStackReserve = 24 * 1024;  // of that, for the engine's own frames

  const plait_target& model_beneath(uintptr_t pc);

  // run.cc
  void count_contexts();
  void begin_run(const RunOptions& options);
  void run_once(Strategy& strategy, uint64_t seed, const RunOptions& options);
  void enter(Context& first);  // from the main stack into a fiber, until the execution ends
  void run_main_body();
  void boot(void (*body)(Machine&), Mode mode);  // runs body on the boot fiber, alone
  Context& prepare_context(uint32_t slot, ContextId id, CpuId cpu, bool pinned);
  // Stack tops lie a cache way apart; without an offset of their own they would all compete for the same lines.
  uintptr_t stack_top(uint32_t slot) const { return stacks_.stack_hi(slot) - (slot % 8) * 512; }
  void use_stack_of(const Context& context);
  void swap_thread_locals(uint32_t from, uint32_t to);
  static void context_entry(void* argument);
  static void boot_entry(void* argument);

  // step.cc
  void step(EventKind kind, uintptr_t pc, uintptr_t address = 0, size_t size = 0, uint32_t access = 0) {
    if (stack_pointer() < hot_.stack_limit) [[unlikely]] stack_overflow(pc);
    if (hot_.fuel > 0 && !(watching_ && address != 0)) [[likely]] {
      --hot_.fuel;
      kernel_steps_ += mode_ == Mode::kRun;
      return;
    }
    step_slow({kind, access, address, size, pc});
  }
  void step_slow(const PendingStep& step);
  [[gnu::noinline]] void access_slow(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  bool take_granted(uint32_t* meta, uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  bool take_driver_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void settle();
  void grant();
  void note_step(const Context& context);
  bool holds_at_this_step();
  void close_event();
  void check_limits(Context& context);
  void look_for_spin(Context& context);
  void watch_read(Context& context, uintptr_t address, size_t size);
  void check_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  [[noreturn]] void bad_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  bool on_stack_access(uintptr_t address);
  bool is_constant(uintptr_t address) const;
  void event(EventKind kind, const Context* context, CpuId cpu, int64_t arg);
  void set_event_value(uint64_t value) {
    if (recording_) recorder_.set_value(value);
  }
  void set_event_arg(int64_t arg) {
    if (recording_) recorder_.set_arg(arg);
  }

  // decide.cc
  Context* decide();
  std::span<const Move> all() override;  // of the moves enabled now
  Footprint next(const Move& move) override;
  void watch(std::span<const uintptr_t> granules) override;
  bool limited() const;
  bool default_move(Move& move);
  bool can_go(const Context& context) const;
  bool default_spinner(Move& move) const;
  bool executable(const Context& context) const;
  bool spin_over(const Context& context) const;
  bool can_preempt(const Cpu& cpu) const;
  bool line_may_fire(uint32_t line) const;
  bool accepts(uint32_t cpu, uint32_t line) const;  // interrupts are on and the line goes there
  Move go_move(uint32_t cpu) const;
  Context* apply(const Move& move);
  Context* apply_interrupt(const Move& move);
  void apply_preempt(const Move& move);
  void apply_migrate(const Move& move);
  bool apply_device(const Move& move);
  bool goes_on(const Context& last) const;
  void record_deviation(const Move& move);
  void transfer(Context* to);
  void leave_cpu(Context& task);
  void enqueue(Context& task);
  void dequeue(Context& task);
  Context* find(ContextId id);
  void change() {  // a move may have become enabled that was not
    must_ask_ = must_ask_ || ask_on_change_;
    if (must_ask_) drain_fuel();
  }
  void drain_fuel() {  // the next step will pass through the engine
    if (mode_ != Mode::kRun) return;
    settle();
    empty_fuel();
  }
  // Below 0 means asked, as 0 does; that it keeps changing tells the watchdog that the engine is being called.
  void empty_fuel() { hot_.fuel = granted_ = -static_cast<int64_t>(++progress_ & 0xffff); }

  // order.cc
  void order_runs(const Context& context) {
    if (order_.on()) order_.run(context.number, index(context.cpu));
  }
  void took(const void* semaphore) {
    if (order_.on()) order_.take(order_.of(reinterpret_cast<uintptr_t>(semaphore)));
  }
  void lock_taken(const void* lock, uintptr_t pc, bool waits);
  void lock_released(const void* lock);
  void set_interrupts(bool on);
  // Visible operations of the running context so far, those included that nobody has booked yet.
  uint64_t steps_now() const { return current_->steps + static_cast<uint64_t>(granted_ - hot_.fuel); }
  void interrupts_go_off();
  void interrupts_go_on();
  void preemption_goes_off();
  void preemption_goes_on();
  bool task_holds_preemption() const;
  void judge_order();
  void judge_lock_orders();
  Failure race_failure(const Race& race) const;
  uint32_t per_cpu_owner(uintptr_t address) const;
  Failure inversion_failure(const LockOrder::Circle& circle) const;
  void add_race(Failure& failure, const Race& race) const;

  // closing.cc
  void enter_windows(Context& context);
  void leave_windows(Context& context, bool all);
  void order_windows(const Context& context, bool in);
  bool in_window(const Context* context, uint32_t guards) const;
  bool kept_away(uint32_t cpu) const;

  // waits.cc
  void block(BlockedOn what, uintptr_t object, uintptr_t pc);
  uint32_t wake_waiters(BlockedOn what, uintptr_t object, bool all);
  void make_ready(Context& context);
  Context& owner_task(Context& context);
  void need_sleepable(const char* what, uintptr_t pc);
  void check_word(const void* object, size_t size, uintptr_t pc);
  [[noreturn]] void self_deadlock(uintptr_t lock, uint64_t holder, uintptr_t pc);
  [[noreturn]] void damaged_lock(uintptr_t lock, uintptr_t pc);
  const Context* holder_of(const Context& waiting) const;
  void lock_mutex(plait_mutex* mutex, uintptr_t pc);
  bool release_mutex(plait_mutex* mutex, uintptr_t pc);

  // operations.cc
  void run_operations(const std::vector<Operation>& operations);
  void run_handler(const LineSpec& line);
  void do_alloc(const Operation& operation);
  uintptr_t take_object(uint32_t size, int slot);     // the allocator's alloc, judged; 0: out of memory
  void return_object(uintptr_t address, int slot);    // its free
  void do_free(const Operation& operation);
  void begin_operation(int slot);
  void end_operation();
  int call_target_free(uintptr_t object);
  void do_misuse(const Operation& operation);
  void run_worker(Context& context);
  bool alone() const;
  void set_event_kind(EventKind kind) {
    if (recording_) recorder_.set_kind(kind);
  }
  void check_returned_object(uint32_t size, uintptr_t object);
  [[noreturn]] void double_allocation(uintptr_t object, uint32_t size, const Object& other);
  void check_restored(const char* operation);
  uint64_t fill_place(uintptr_t object) const;
  void fill(uintptr_t object, uint32_t size);
  void check_fill(const Object& object);
  void handler_exit(Context& context);
  void finish_context(Context& context);

  // quiescence.cc
  void stuck();
  bool quiescent() const;
  bool lines_left() const;
  void judge_quiescence();
  void judge_objects();
  void judge_pages();

  // failure.cc
  void keep_failure(Failure&& failure);
  [[noreturn]] void fail(Failure failure);
  Text hang_text() const;
  [[noreturn]] void leave_run();
  Evidence here(uintptr_t pc, std::string_view what);
  Evidence there(const Context& context, std::string_view what);
  Text place_name(uintptr_t address) const;
  uintptr_t decode(uint64_t place) const;
  bool in_code(uintptr_t pc) const;
  void stuck_failure(Failure failure);
  static void black_box(void* machine);
  static void on_crash(void* machine, const Crash& crash);
  void crashed(const Crash& crash);
  uint64_t cause_hash(const Failure& failure) const;

  Hot& hot_;
  Memory memory_;
  StackRange stacks_;
  TargetImage target_;
  Scenario scenario_;
  Limits limits_;
  std::vector<Device*> devices_, own_devices_;  // of this scenario; of all that name none
  Io io_{*this};
  AccessSink* sink_ = nullptr;
  Cover* cover_ = nullptr;

  Mode mode_ = Mode::kIdle;
  Fiber main_;
  void (*main_body_)(void*) = nullptr;  // that a fiber wants to have run on the main stack
  void* main_argument_ = nullptr;
  void (*interrupted_)() = nullptr;
  Fiber landing_;
  std::array<Context, kContexts> contexts_;
  Context* current_ = nullptr;  // whose fiber runs
  Context* last_ = nullptr;     // took the last step; null at the start
  std::array<Cpu, kCpusMax> cpus_;
  std::array<Line, kLinesMax> lines_;
  std::array<Slot, 256> slots_{};
  std::vector<Worker> workers_;
  uint32_t task_count_ = 0;  // scenario tasks; workers follow
  std::vector<Context*> used_;  // the contexts that this scenario can have
  Objects objects_;
  Order order_;
  LockOrder lock_order_;
  std::vector<std::vector<std::byte>> tls_saved_;
  std::vector<SavedJump> jumps_;
  std::vector<uintptr_t> reported_pages_;
  uint64_t deferred_ = 0;
  bool pages_asked_ = false;  // in this execution

  Strategy* strategy_ = nullptr;
  Move default_;  // of the decision in progress
  std::vector<Move> enabled_;  // empty until asked for
  std::vector<Deviation> schedule_;
  Recorder recorder_;
  bool recording_ = false;
  const Closing* closing_ = nullptr;
  bool exact_ = false, slow_ = false;  // slow: no fuel: every step passes through the engine

  int64_t granted_ = 0, quiet_left_ = 0, slice_left_ = 0;
  bool must_ask_ = false, ask_on_change_ = false, watching_ = false;
  bool limited_ = false;  // when last asked, moves were missing because interrupts or preemption were off
  uint32_t slots_used_ = 0;
  uint64_t progress_ = 0;  // changes whenever the engine is called
  void (*boot_body_)(Machine&) = nullptr;
  uint64_t seed_ = 0;
  uint64_t steps_ = 0, kernel_steps_ = 0, operations_ = 0;
  uint64_t wait_serial_ = 0, spin_turns_ = 0, behaviour_ = 0;
  uint64_t last_cut_ = 0;  // where the last deviation cut
  bool retry_ = false;     // a stack turned out to be shared: once more from the start
  bool over_ = false, init_failed_ = false;
  uint64_t loads_ = 0;
  uint32_t longest_ = 1;  // visible operations of the longest execution since load
  Outcome init_outcome_, outcome_;
};

}  // namespace plait
