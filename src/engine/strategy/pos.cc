// SPDX-License-Identifier: Apache-2.0
//
// POS (Yuan, Yang, Gu: Partial Order Aware Concurrency Sampling, CAV 2018). Every announced event gets a random priority,
// the enabled one with the highest goes, and those that race with it (same 8 bytes, one of the two a write; or the same
// lock) draw new ones. Guarantee: every partial order has a positive probability, and which of two racing events comes
// first is even odds each time they meet, however many events commute with them.
//
// Differs: contexts on one CPU take part too, by preemption. Where none to three interrupts and migrations come is drawn
// first (intrusions.h). Every step is asked about, so an execution costs several times as much as one of the others.
#include <array>

#include "strategy/intrusions.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class Pos final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    priority_.fill(0);
    done_ = {};
    intrusions_.begin(prng_, length, kIntrusionsMax);
  }

  Choice choose(Moves& moves, const Point& point) override {
    const std::span<const Move> enabled = moves.all();
    for (const Move& move : enabled) {
      if (is_step(move) && conflicts(moves.next(move), done_)) priority_[key_of(move.who)] = 0;
    }
    done_ = {};
    if (const uint32_t index = intrusions_.due(prng_, moves, point)) return {index, 0, Until::kOver};
    uint32_t best = 0;
    uint64_t highest = 0;
    uint32_t others = 0;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (!is_step(enabled[i])) continue;
      ++others;
      uint64_t& priority = priority_[key_of(enabled[i].who)];
      if (priority == 0) priority = prng_.next() | 1;
      if (priority > highest) {
        highest = priority;
        best = i;
      }
    }
    if (others == 0) return {0, 0, Until::kOver};
    done_ = moves.next(enabled[best]);
    priority_[key_of(enabled[best].who)] = 0;
    // Alone it may go on until somebody else can.
    return {best, others == 1 ? intrusions_.quiet(point) : 0, Until::kChange};
  }

 private:
  static constexpr uint32_t kIntrusionsMax = 3;

  static bool conflicts(const Footprint& one, const Footprint& other) {
    return one.granule != 0 && one.granule == other.granule && (one.writes || other.writes);
  }

  Prng prng_;
  std::array<uint64_t, kKeys> priority_{};  // of each context's announced event; 0: to be drawn
  Footprint done_;                          // of the step that was chosen last
  Intrusions intrusions_;
};

}  // namespace

std::unique_ptr<Strategy> make_pos() { return std::make_unique<Pos>(); }

}  // namespace plait
