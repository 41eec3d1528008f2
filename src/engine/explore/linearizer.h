// SPDX-License-Identifier: Apache-2.0
//
// Orders in which events of an execution can be executed by themselves. Their causality does not tell: a handler has its
// CPU to itself until it returns, who has interrupts or preemption off keeps others out, nobody is moved from under a
// handler, no interrupt comes when nobody has anything left to do, and there may be a bound on preemptions.
//
// It is a search through the states that a CPU's contexts can be in, with a memory of those that were seen: steps that keep
// nobody from anything are taken at once, the others are tried in turn. So an order is found where there is one.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "explore/guide.h"

namespace plait {

class Linearizer {
 public:
  static constexpr uint32_t kOption = ~uint32_t{0} - 1;  // in an order: the event that is in none so far
  struct Found {
    std::array<uint16_t, Causality::kProcessesMax> done{};  // of each process
    std::vector<uint32_t> order;
  };

  static constexpr uint32_t kNoBound = ~uint32_t{0};
  // preemptions: that an order may have, or kNoBound. states_max: that a search may come to.
  Linearizer(const Guide& guide, uint32_t preemptions, uint64_t states_max)
      : guide_(guide), preemptions_(preemptions), states_max_(states_max) {}
  // Of the events that `in_plan` has, each with all of its past, and then `second`, not in it, which may have to do without
  // some of its past. `happened`: so many decisions the execution had. One order of them all, as close to the execution's
  // as it goes; else of each largest part with `second` that there is an order of.
  const std::vector<Found>& find(const std::vector<bool>& in_plan, uint32_t second, size_t happened);
  // The same with a decision that was not taken: an event of this process with this past.
  const std::vector<Found>& find(const std::vector<bool>& in_plan, const Decision& option, uint8_t process,
                                 const Causality::Clock& past, size_t happened);
  bool gave_up() const { return gave_up_; }  // the last time: there may be more, but it would have taken too long

 private:
  static constexpr uint32_t kNone = Causality::kNone;
  static constexpr uint8_t kNobody = Causality::kProcessesMax;
  struct State {
    std::array<uint16_t, Causality::kProcessesMax> done{};  // events of each process
    std::array<uint8_t, Causality::kProcessesMax> cpu{};    // of each thread
    std::array<uint8_t, Causality::kProcessesMax> moves{};  // left to each task
    std::array<std::array<uint8_t, Causality::kProcessesMax>, kCpusMax> handlers{};  // on each CPU, innermost last
    std::array<uint8_t, kCpusMax> depth{};                                           // how many those are
    std::array<std::array<uint8_t, Causality::kProcessesMax>, kCpusMax> threads{};  // that can go on: who runs, and the queue
    std::array<uint8_t, kCpusMax> count{};                                          // how many those are
    uint32_t asleep = 0;     // threads that wait or are done, as bits
    uint8_t last = kNobody;  // who took the last step of a CPU
    uint32_t spent = 0;      // preemptions
    uint32_t left = 0;
    uint32_t interrupts = 0;  // left

    void join(uint8_t thread);
    void leave(uint8_t thread);
    void run(uint8_t thread);
    bool runs(uint8_t thread) const;
  };

  const std::vector<Found>& find(const std::vector<bool>& in_plan);
  State begin() const;
  bool as_taken(State state);
  bool search_all(const State& state);
  bool search(State state);
  void go_on(State& state);
  void keep(const State& state);
  bool seen(const State& state);
  bool take(uint32_t number, State& state);
  bool ready(uint32_t number, const State& state) const;
  bool waits(uint32_t number, const State& state) const;
  bool has_past(uint32_t number, const State& state) const;
  bool may_run(uint32_t number, const State& state) const;
  bool may_interrupt(uint32_t number, const State& state) const;
  bool sleeps(uint8_t thread, const State& state) const;
  uint8_t innermost(uint8_t cpu, const State& state) const;
  bool may_move(uint32_t number, const State& state) const;
  bool keeps_out(uint8_t cpu, bool handlers, const State& state) const;
  bool somebody_can_go(uint8_t handler, const State& state) const;
  bool on_top(uint8_t process, const State& state) const;
  bool preempts(uint8_t process, const State& state) const;
  bool over(uint8_t process) const;
  bool enters(uint32_t number) const;
  bool may_leave(uint32_t number) const;
  bool decides(uint32_t number, const State& state) const;
  bool bounded() const { return preemptions_ != kNoBound; }
  uint32_t event_of(uint8_t process, uint32_t index) const;
  uint32_t next_of(uint8_t process, const State& state) const;  // planned or not; kNone
  bool planned(uint8_t process, const State& state) const { return state.done[process] < planned_[process]; }
  uint8_t process_of(uint32_t number) const { return number == kOption ? option_process_ : guide_.causality().events()[number].process; }
  uint32_t index_of(uint32_t number) const { return number == kOption ? option_index_ : guide_.causality().events()[number].index; }
  const Decision& decision_of(uint32_t number) const { return number == kOption ? option_ : guide_.taken()[number].decision; }

  const Guide& guide_;
  const uint32_t preemptions_;
  const uint64_t states_max_;
  size_t happened_ = 0;
  uint32_t second_ = 0;
  Causality::Clock needs_{};  // of `second`
  Decision option_;
  uint8_t option_process_ = 0;
  uint32_t option_index_ = 0;
  // Events of each process: of the plan, of the execution, and with those that others have made impossible.
  std::array<uint16_t, Causality::kProcessesMax> planned_{}, total_{}, known_{};
  std::vector<uint32_t> order_;
  std::vector<Found> found_;
  std::unordered_map<uint64_t, uint32_t> seen_;  // state → least preemptions that it was come to with
  bool gave_up_ = false;
};

}  // namespace plait
