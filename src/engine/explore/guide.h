// SPDX-License-Identifier: Apache-2.0
//
// Runs an execution by a plan, who takes each step, and afterwards by defaults; writes down what was decided and what
// came of it. Where the plan names somebody who cannot go, that step of it is left out.
//
// What counts against the bounds is counted here: a preemption is a switch to another context while the one that took
// the last step could go on (Musuvathi and Qadeer, Iterative Context Bounding, 2007).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "explore/causality.h"
#include "machine/machine.h"
#include "machine/strategy.h"

namespace plait {

// Of moves that cost something, how many.
struct Spent {
  uint32_t preemptions = 0;
  uint32_t interrupts = 0;
  uint32_t migrations = 0;
  uint32_t deviations = 0;  // with those where some switch was forced
  bool operator==(const Spent&) const = default;
};

struct Decision {
  // kRaised: an interrupt that a device has asked for. It is nobody's choice whether that comes.
  enum class Kind : uint8_t { kRun, kInterrupt, kMigrate, kRaised, kDevice };
  Kind kind = Kind::kRun;
  uint8_t process = 0;
  uint8_t cpu = 0;  // it runs on, or goes to; of a device 0
  bool operator==(const Decision&) const = default;
  // The same choice; where who runs is then a matter of where it is.
  bool means(const Decision& other) const {
    return kind == other.kind && process == other.process && (kind == Kind::kRun || cpu == other.cpu);
  }
};
using Plan = std::vector<Decision>;

inline bool is_interrupt(const Decision& decision) {
  return decision.kind == Decision::Kind::kInterrupt || decision.kind == Decision::Kind::kRaised;
}

class Guide final : public Strategy {
 public:
  // For what the step has to wait: until it is woken, or for a spin lock.
  enum class Waits : uint8_t { kNo, kWoken, kLock };
  // A decision and what it was made of. Its event in the causality has the same number.
  struct Taken {
    Decision decision;
    bool keeps_tasks_out = false;  // of its CPU, until it has left what it is in
    bool keeps_handlers_out = false;
    Waits waits = Waits::kNo;
    uint32_t woken_by = Causality::kNone;    // the decision after which it could go on again
    bool lets_go = false;                    // others, who would otherwise have to wait
    uint8_t standard = 0;                    // process of the default move
    uint8_t cut = Causality::kProcessesMax;  // who is preempted where another process runs
    uint32_t enabled = 0;                    // processes that could have gone, as bits
    Spent before;
    bool preempts(uint8_t process) const { return cut != Causality::kProcessesMax && process != cut && process != standard; }
  };

  explicit Guide(Machine& machine) : machine_(machine) {}
  // A new scenario: nothing is known of its processes.
  void reset();
  void set_plan(const Plan* plan) { plan_ = plan; }

  void begin(uint64_t seed, uint32_t length) override;
  Choice choose(Moves& moves, const Point& point) override;

  // The execution is over; a device that took the last step has been watched.
  void finish();
  // Adds what others have made impossible, when the execution is over: events that did not happen. Of those that wait for
  // a spin lock, where it ended with a failure, and of devices for which nothing has come in from outside.
  void note_blocked(bool failed);
  const std::vector<Taken>& taken() const { return taken_; }
  const Causality& causality() const { return causality_; }
  // The other moves of each decision, only when that was asked for.
  void note_alternatives(bool note) { note_alternatives_ = note; }
  const std::vector<std::vector<Decision>>& alternatives() const { return alternatives_; }
  const Spent& spent() const { return spent_; }
  bool too_large() const { return too_large_; }  // more processes or steps than can be told apart
  // CPU on which a task begins.
  uint8_t home(uint8_t task) const { return static_cast<uint8_t>(machine_.scenario().tasks[processes_[task].id.number].cpu); }
  bool is_task(uint8_t process) const { return is(process, ContextKind::kTask); }
  const std::vector<uint8_t>& threads() const { return threads_; }  // in the order of their numbers
  bool is_thread(uint8_t process) const { return is(process, ContextKind::kTask) || is(process, ContextKind::kWorker); }
  bool is_handler(uint8_t process) const { return is(process, ContextKind::kIrq); }
  // Whether it is known to have a next step.
  bool begun(uint8_t process) const { return is_thread(process) || (is_handler(process) && fired(process)); }
  // Whether it could not go on when the execution was over, nor be moved.
  bool over(uint8_t process) const { return processes_[process].over; }
  const std::vector<Decision>& optional() const { return optional_; }  // interrupts and migrations seen so far
  // What an interrupt or a migration would be as an event after those that `within` has, and whose event; of a migration
  // the `nth` of its task.
  template <typename Within>
  std::pair<uint8_t, uint64_t> option(const Decision& decision, uint16_t nth, Within within) {
    const auto [process, place] = option_place(decision, nth);
    return {process, causality_.hash_after(change(decision), place, within)};
  }
  Place place_of(const Decision& option) const;
  bool fired(uint8_t process) const { return processes_[process].started; }

 private:
  struct Process {
    ContextId id;
    bool started = false;
    bool over = false;
    bool blocked = false;  // by its last step
    uint32_t woken_by = Causality::kNone;  // since then: the decision after which it no longer was
    uint32_t calls = 0;       // of operations of the scenario
    uint64_t mutex = 0;       // that its wait lets go of
    bool page_refused = false;  // in its operation
    uint16_t moves = 0;       // from CPU to CPU
    uint32_t request = 0;     // whose operation it is in; plus 1
  };
  bool is(uint8_t process, ContextKind kind) const { return process < processes_.size() && processes_[process].id.kind == kind; }

  const Context* context_of(uint8_t process) const;
  uint8_t process_of(const ContextId& id);
  Decision decision_of(const Move& move);
  void note_options(std::span<const Move> enabled, Taken& taken);
  void note_kept_out(Taken& taken) const;
  void note(const Decision& decision, const Move& move);
  void note_change(const Decision& decision);
  void note_device();
  void note_over();
  void note_wakes();
  void note_blocked(const Move& move);
  uint8_t would_be_cut(const Taken& taken, const Point& point) const;
  void request_places(const PendingStep& step, Process& process);
  bool drives(const Process& process) const;
  bool is_of_device(uint8_t line) const;
  uint64_t granule_of(uint64_t address) const;
  std::pair<uint8_t, Place> option_place(const Decision& decision, uint16_t nth);
  uint64_t change(const Decision& decision) const;
  void flag_places(EventKind kind, bool handler, uint8_t number, uint8_t cpu);
  void call_places(const PendingStep& step, Process& process);
  void places_of(const PendingStep& step, Process& process, uint8_t number, uint8_t cpu);
  void range(uint64_t address, uint64_t size, Touch touch);
  void add_place(uint64_t where, Touch touch) { places_.push_back({where, touch}); }
  const Operation* operation_of(const Process& process) const;

  Machine& machine_;
  Causality causality_;
  const Plan* plan_ = nullptr;
  size_t next_ = 0;  // of the plan
  std::vector<Process> processes_;
  std::vector<uint8_t> threads_;
  std::vector<Taken> taken_;
  std::vector<Decision> optional_;
  std::vector<Place> places_;
  std::vector<Meeting> meetings_;  // of the device's step that is under way
  uint64_t device_what_ = 0;
  uint8_t device_process_ = Causality::kProcessesMax;  // whose step that is; or nobody's
  uint8_t device_ = 0;
  uint8_t runner_ = Causality::kProcessesMax;  // who took the last step of a CPU
  uint32_t ringing_ = 0;  // devices that would go on along their ring without being told to
  struct Locked {
    uint8_t by = Causality::kProcessesMax;  // last
    uint32_t cpus = 0;  // on which that one was, as bits
  };
  std::unordered_map<uint64_t, Locked> locked_;  // spin locks
  struct Held {
    uint64_t object = 0;
    uint64_t size = 0;
  };
  std::array<Held, 256> slots_{};
  std::vector<std::vector<Decision>> alternatives_;
  bool note_alternatives_ = false;
  Spent spent_;
  bool too_large_ = false;
};

}  // namespace plait
