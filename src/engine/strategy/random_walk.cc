// SPDX-License-Identifier: Apache-2.0
//
// Random walk (the baseline of Thomson, Donaldson, Betts: Concurrency Testing Using Controlled Schedulers: An Empirical
// Study, TOPC 2016), over deviations. Guarantee: every schedule has a positive probability, those with few deviations
// more than those with many.
//
// Differs: a walk draws at each step who goes next, and switches all the time. But most bugs need one to three switches
// in the right places, so each execution draws how many deviations it should make (few more often than many), spreads
// them over the expected length, and takes defaults in between. At a point where some switch is forced anyway, one time
// in three another context than the default one goes on.
#include <array>

#include "base/prng.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class RandomWalk final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    constexpr std::array<uint8_t, 8> kDeviations = {1, 1, 2, 2, 3, 4, 6, 12};
    gap_ = 2 * length / kDeviations[prng_.below(kDeviations.size())];
    next_ = prng_.below(gap_ + 1);
  }

  Choice choose(Moves& enabled, const Point& point) override {
    if (point.step < next_) {
      if (!point.forced || !prng_.one_in(3)) return keep(0, point);
      return keep(prng_.below(static_cast<uint32_t>(enabled.all().size())), point);
    }
    const std::span<const Move> moves = enabled.all();
    next_ = point.step + 1 + prng_.below(gap_ + 1);
    // Where there is nothing to choose the point is lost, not moved to the next one that has a choice.
    return keep(moves.size() == 1 ? 0 : deviate(moves), point);
  }

 private:
  Choice keep(uint32_t index, const Point& point) const {
    return {index, next_ > point.step ? static_cast<uint32_t>(next_ - point.step) : 0, Until::kOver};
  }

  // A kind of move first, then one of that kind: otherwise many migrations would crowd out the one interrupt.
  uint32_t deviate(std::span<const Move> enabled) {
    uint32_t kinds = 0;
    for (size_t i = 1; i < enabled.size(); ++i) kinds |= 1u << static_cast<uint32_t>(enabled[i].kind);
    uint32_t pick = prng_.below(static_cast<uint32_t>(__builtin_popcount(kinds)));
    while (pick-- > 0) kinds &= kinds - 1;
    const auto kind = static_cast<MoveKind>(__builtin_ctz(kinds));
    uint32_t count = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < enabled.size(); ++i) {
      if (enabled[i].kind == kind && prng_.one_in(++count)) chosen = i;
    }
    return chosen;
  }

  Prng prng_;
  uint32_t gap_ = 1;
  uint64_t next_ = 0;  // the step at which to deviate
};

}  // namespace

std::unique_ptr<Strategy> make_random_walk() { return std::make_unique<RandomWalk>(); }

}  // namespace plait
