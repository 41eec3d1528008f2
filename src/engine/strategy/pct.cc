// SPDX-License-Identifier: Apache-2.0
//
// PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of Finding
// Bugs, ASPLOS 2010). Contexts get random priorities, the enabled one with the highest runs, and at d-1 random steps the
// running one falls below all others. Guarantee: a bug of depth d among n contexts and k steps is hit with probability
// at least 1/(n·k^(d-1)).
//
// Differs: d is drawn anew for each execution, 1 to 4, so the guarantee is a quarter of that; k is the longest execution
// of the scenario so far (the first has run under the empty schedule). An activation of an interrupt line is a context
// with a priority of its own. A migration has no context: at a change point it is taken instead one time in three, where
// there is one.
#include <array>
#include <utility>

#include "base/prng.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class Pct final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    seed_ = prng_.next();
    changes_ = prng_.below(kChangesMax + 1);
    for (uint32_t i = 0; i < changes_; ++i) at_[i] = 1 + prng_.below(length);
    for (uint32_t i = 1; i < changes_; ++i) {
      for (uint32_t j = i; j > 0 && at_[j] < at_[j - 1]; --j) std::swap(at_[j], at_[j - 1]);
    }
    passed_ = 0;
  }

  Choice choose(Moves& moves, const Point& point) override {
    const std::span<const Move> enabled = moves.all();
    while (passed_ < changes_ && point.step >= at_[passed_]) {
      lowered_[passed_++] = point.context;
      if (!prng_.one_in(3)) continue;
      if (const uint32_t index = migration(enabled)) return {index, 0, Until::kOver};
    }
    uint32_t best = 0;
    uint64_t highest = 0;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (enabled[i].kind == MoveKind::kMigrate) continue;
      const uint64_t priority = priority_of(enabled[i], point.step);
      if (priority > highest) {
        highest = priority;
        best = i;
      }
    }
    const uint64_t quiet = passed_ < changes_ ? at_[passed_] - point.step : kForever;
    return {best, static_cast<uint32_t>(quiet), Until::kChange};
  }

 private:
  static constexpr uint32_t kChangesMax = 3;

  // Lowered contexts rank below all others, the latest lowest.
  uint64_t priority_of(const Move& move, uint64_t step) const {
    for (uint32_t i = passed_; i-- > 0;) {
      if (lowered_[i] == move.who) return kChangesMax - i;
    }
    const uint64_t who = uint64_t(move.who.kind) << 24 | uint64_t(move.who.number) << 16 | move.who.activation;
    // What a device may do besides what it does next is drawn anew with each step that it took.
    const uint64_t choice = move.choice ? uint64_t{move.choice} << 32 | step << 40 : 0;
    return mix(seed_, who ^ choice) | uint64_t{1} << 63;
  }

  uint32_t migration(std::span<const Move> enabled) {
    uint32_t count = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < enabled.size(); ++i) {
      if (enabled[i].kind == MoveKind::kMigrate && prng_.one_in(++count)) chosen = i;
    }
    return chosen;
  }

  Prng prng_;
  uint64_t seed_ = 0;
  uint32_t changes_ = 0;
  uint32_t passed_ = 0;
  std::array<uint64_t, kChangesMax> at_{};
  std::array<ContextId, kChangesMax> lowered_{};
};

}  // namespace

std::unique_ptr<Strategy> make_pct() { return std::make_unique<Pct>(); }

}  // namespace plait
