// SPDX-License-Identifier: Apache-2.0
//
// POS (Yuan, Yang, Gu: Partial Order Aware Concurrency Sampling, CAV 2018). Every announced event gets a random priority,
// the enabled one with the highest goes, and those that race with it (same 8 bytes, one of the two a write; or the same
// lock) draw new ones. Guarantee: every partial order has a positive probability, and which of two racing events comes
// first is even odds each time they meet, however many events commute with them.
//
// Differs: contexts on one CPU take part too, by preemption. Interrupts and migrations are no events that wait for their
// turn: where they come is drawn first, none to three of them at steps spread over the longest execution so far; there a
// kind of move is drawn, then one of that kind. Otherwise a handler, enabled all the time, would nearly always run first.
// Every step is asked about, so an execution costs several times as much as one of the others.
#include <array>

#include "base/prng.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class Pos final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    priority_.fill(0);
    done_ = {};
    length_ = length;
    intrusions_ = prng_.below(kIntrusionsMax + 1);
    next_ = gap();
  }

  Choice choose(Moves& moves, const Point& point) override {
    const std::span<const Move> enabled = moves.all();
    for (const Move& move : enabled) {
      if (is_step(move) && conflicts(moves.next(move), done_)) priority_[key(move.who)] = 0;
    }
    done_ = {};
    if (intrusions_ > 0 && point.step >= next_) {
      --intrusions_;
      next_ = point.step + gap();
      if (const uint32_t index = intrusion(enabled)) return {index, 0, Until::kOver};
    }
    uint32_t best = 0;
    uint64_t highest = 0;
    uint32_t others = 0;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (!is_step(enabled[i])) continue;
      ++others;
      uint64_t& priority = priority_[key(enabled[i].who)];
      if (priority == 0) priority = prng_.next() | 1;
      if (priority > highest) {
        highest = priority;
        best = i;
      }
    }
    if (others == 0) return {0, 0, Until::kOver};
    done_ = moves.next(enabled[best]);
    priority_[key(enabled[best].who)] = 0;
    // Alone it may go on until somebody else can.
    const uint64_t quiet = intrusions_ > 0 && next_ > point.step ? next_ - point.step : kForever;
    return {best, others == 1 ? static_cast<uint32_t>(quiet) : 0, Until::kChange};
  }

 private:
  static constexpr uint32_t kIntrusionsMax = 3;

  static bool is_step(const Move& move) { return move.kind == MoveKind::kGo || move.kind == MoveKind::kPreempt; }
  static size_t key(const ContextId& who) {
    const size_t first = who.kind == ContextKind::kTask ? 0 : who.kind == ContextKind::kWorker ? kTasksMax : 2 * kTasksMax;
    return first + who.number;
  }
  static bool conflicts(const Footprint& one, const Footprint& other) {
    return one.granule != 0 && one.granule == other.granule && (one.writes || other.writes);
  }

  uint32_t gap() { return 1 + prng_.below(length_); }

  // A kind of move first, then one of that kind; 0: there is none.
  uint32_t intrusion(std::span<const Move> enabled) {
    const bool interrupt = prng_.one_in(2);
    for (const MoveKind kind : {interrupt ? MoveKind::kInterrupt : MoveKind::kMigrate,
                                interrupt ? MoveKind::kMigrate : MoveKind::kInterrupt}) {
      uint32_t count = 0;
      uint32_t chosen = 0;
      for (uint32_t i = 1; i < enabled.size(); ++i) {
        if (enabled[i].kind == kind && prng_.one_in(++count)) chosen = i;
      }
      if (chosen != 0) return chosen;
    }
    return 0;
  }

  Prng prng_;
  std::array<uint64_t, 2 * kTasksMax + kLinesMax> priority_{};  // of each context's announced event; 0: to be drawn
  Footprint done_;                                              // of the step that was chosen last
  uint32_t length_ = 1;
  uint32_t intrusions_ = 0;
  uint64_t next_ = 0;  // the step at which the next one comes
};

}  // namespace

std::unique_ptr<Strategy> make_pos() { return std::make_unique<Pos>(); }

}  // namespace plait
