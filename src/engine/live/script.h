// SPDX-License-Identifier: Apache-2.0
//
// What was done in a live run so far, as a strategy: it follows that, does what is asked next, and stops or goes on by
// defaults. An act says what it came to (a context has taken so many steps), not which move that was, so it keeps its
// meaning when programs grow: a task that had nothing to do waits for its next operation in the longer program, and
// going past it takes a preemption, which the machine records as for any strategy.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "machine/machine.h"
#include "machine/strategy.h"

namespace plait {

struct Act {
  enum class Kind : uint8_t { kSteps, kInterrupt, kMigrate } kind = Kind::kSteps;
  ContextId who;       // kSteps, kMigrate
  uint32_t steps = 0;  // kSteps: how many it has taken then, since its beginning
  CpuId cpu{};         // kInterrupt, kMigrate
  uint8_t line = 0;    // kInterrupt
  bool most = false;   // kSteps: fewer will do
  uint8_t choice = 0;  // kSteps of a device: what the one step that it takes is
};

// How many kinds of context cannot come in on the CPU: tasks, handlers.
uint32_t closed_to(const Cpu& cpu);

class Script final : public Strategy {
 public:
  enum class Then : uint8_t {
    kStop,
    kSteps,      // `who` takes up to `steps` more, as long as it can go on; `choice` is the first of a device
    kOpening,    // the same, until it lets others in for the `steps`-th time in the middle of an operation
    kPreempt,    // what runs on `cpu` goes on until `who` can be switched in, and that takes a step
    kInterrupt,
    kMigrate,
    kDefaults,   // to the end
  };

  explicit Script(const Machine& machine) : machine_(machine) {}

  // What to do after the acts. kSteps: act.steps counts from where the context stands then.
  void ask(Then then, const Act& act = {}) {
    then_ = then;
    request_ = act;
  }
  void begin(uint64_t seed, uint32_t length) override;
  Choice choose(Moves& enabled, const Point& point) override;
  // The context had taken so many steps when the execution was left.
  void ended(ContextId who, uint32_t steps) { note(who, steps); }

  bool done() const { return done_; }     // what was asked for was enabled, if not steps
  bool idle() const { return following_; }  // after an execution: nothing could move any more, so nobody asked
  uint32_t dropped() const { return dropped_; }  // acts that were not enabled any more
  uint32_t taken() const { return idle() ? 0 : steps_of(request_.who) - base_; }  // steps, when those were asked for
  const std::vector<Act>& acts() const { return acts_; }
  void add(const Act& act) { append(acts_, act); }
  void keep() {  // what the last execution did beyond the acts
    for (const Act& act : news_) add(act);
  }

 private:
  struct Taken {
    ContextId who;
    uint32_t steps;
  };
  uint32_t steps_of(ContextId who) const;
  void note(ContextId who, uint32_t steps);
  static void append(std::vector<Act>& acts, const Act& act);
  std::optional<Choice> follow(Moves& enabled);
  Choice act(Moves& enabled);
  bool opens();
  static uint32_t find(std::span<const Move> moves, const Act& act);

  const Machine& machine_;
  std::vector<Act> acts_;
  std::vector<Act> news_;
  std::vector<Taken> taken_;
  Then then_ = Then::kStop;
  Act request_;
  size_t next_ = 0;
  bool following_ = true;
  bool done_ = false;
  uint32_t base_ = 0;  // steps that the context of the request had taken before
  uint32_t dropped_ = 0;
  uint32_t closed_ = 0;    // to how many kinds of context who was asked about has closed its CPU
  uint32_t openings_ = 0;  // that it has had
};

}  // namespace plait
