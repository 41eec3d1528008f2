// SPDX-License-Identifier: Apache-2.0
//
// SURW (Zhao, Wolff, Mathur, Roychoudhury: Selectively Uniform Concurrency Testing, ASPLOS 2025). A few places in memory
// are interesting in an execution. Who takes the next step on one of them is drawn with weights: how many such steps each
// context still has to take, as counted in earlier executions of the scenario. Guarantee: with the counts right and
// nobody kept waiting, every interleaving of the interesting steps is equally likely: n!·m!/(n+m)! for two contexts with n
// and m of them, however much else they do. Every schedule that differs in other steps too has a positive probability.
//
// Differs: the places are drawn from those that several contexts touched, one of them writing: 1, 2, 4 or 16 draws. A
// handler is one block among the interesting steps, not as many as it has, because what it interrupted waits for
// it: it weighs as much as one step for each time that its line is expected to fire. Migrations, and interrupts of lines
// that touch none of the places, are intrusions (intrusions.h), none to four. Whoever is drawn begins at once or when the
// one that runs comes to an interesting step, at even odds. The first execution, which has nothing to go by, is of
// POS. That one, two more and later one of sixteen ask about every step, the others only where interesting places are.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "strategy/history.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class Surw final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    history_.begin();
    intrusions_.begin(prng_, length, kIntrusionsMax);
    left_.fill(0);
    ++execution_;
    lines_ = 0;
    drawn_ = kNobody;
    const std::vector<uint32_t>& shared = history_.shared();
    learning_ = shared.empty();
    watching_ = false;
    if (learning_) return first_->begin(prng_.next(), length);
    constexpr std::array<uint8_t, 5> kPlaces = {1, 1, 2, 4, 16};
    const uint32_t count = kPlaces[prng_.below(kPlaces.size())];
    watching_ = execution_ > kFullMin && execution_ % kFullEvery != 0;
    granules_.clear();
    for (uint32_t n = count; n > 0; --n) {
      add(shared[prng_.below(static_cast<uint32_t>(shared.size()))]);
    }
  }

  Choice choose(Moves& moves, const Point& point) override {
    const std::span<const Move> enabled = moves.all();
    if (learning_) return take(moves, first_->choose(moves, point).index, point);
    if (watching_ && !granules_.empty()) {
      moves.watch(granules_);
      granules_.clear();
    }
    if (const uint32_t index = intrusions_.due(prng_, moves, point, lines_)) return {index, 0, Until::kOver};
    uint32_t index = drawn_ == kNobody ? kNoMove : find(enabled);
    if (index == kNoMove) index = draw(moves);
    if (index == kNoMove) return take(moves, 0, point);  // nothing but interrupts
    // Later means: when the one that runs comes to a step that may not come first.
    if (later_ && !point.forced && is_step(enabled[0]) && !interesting(moves.next(enabled[0]))) return take(moves, 0, point);
    later_ = false;
    if (enabled[index].kind == MoveKind::kInterrupt) drawn_ = kNobody;
    return take(moves, index, point);
  }

 private:
  static constexpr uint32_t kIntrusionsMax = 4;
  static constexpr uint32_t kFullMin = 3;    // executions that see every step, before others do not,
  static constexpr uint32_t kFullEvery = 16;  // and one of so many afterwards
  static constexpr uint32_t kNobody = ~0u;
  static constexpr uint32_t kNoMove = ~0u;

  void add(uint32_t place) {
    if (chosen_.size() <= place) chosen_.resize(place + 1);
    if (chosen_[place] == execution_) return;
    chosen_[place] = execution_;
    granules_.push_back(history_.granule(place));
    for (uint64_t users = history_.users(place); users != 0; users &= users - 1) {
      const auto key = static_cast<uint32_t>(std::countr_zero(users));
      left_[key] += history_.expected(place, key);
    }
    lines_ |= static_cast<uint32_t>(history_.users(place) >> 2 * kTasksMax);
  }

  bool interesting(const Footprint& step) const {
    if (step.granule == 0) return false;
    const uint32_t place = history_.find(step.granule);
    return place < chosen_.size() && chosen_[place] == execution_;
  }

  Choice take(Moves& moves, uint32_t index, const Point& point) {
    const Move& move = moves.all()[index];
    bool met = false;
    if (is_step(move)) {
      const uint32_t key = key_of(move.who);
      const Footprint step = moves.next(move);
      met = interesting(step);
      // Of what is not asked about each time the counts would be too low.
      if (step.granule != 0 && (met || !watching_)) history_.note(key, step);
      if (met) {
        left_[key] -= left_[key] > 0;
        drawn_ = kNobody;
      }
    } else if (move.kind == MoveKind::kInterrupt) {
      fires_[move.number] = std::max(fires_[move.number], move.who.activation + 1u);
    }
    return {index, watching_ && !met ? intrusions_.quiet(point) : 0, Until::kOver};
  }

  // Of the drawn context or line; kNoMove: it cannot move now.
  uint32_t find(std::span<const Move> enabled) {
    uint32_t count = 0;
    uint32_t found = kNoMove;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (!is_step(enabled[i]) && enabled[i].kind != MoveKind::kInterrupt) continue;
      if (key_of(enabled[i].who) == drawn_ && prng_.one_in(++count)) found = i;  // several: CPUs that take the line
    }
    return found;
  }

  // Of the line whose handler this is, this time included.
  uint32_t fires_left(const Move& move) const {
    const uint32_t fires = fires_[move.who.number];
    return fires > move.who.activation ? fires - move.who.activation : 1;
  }

  // `expected`: of somebody an interesting step is. Otherwise who takes one all the same, such as one that waits for
  // another and looks again and again, must not keep out that other.
  uint32_t weight(Moves& moves, const Move& move, bool expected) {
    const uint32_t key = key_of(move.who);
    switch (move.kind) {
      case MoveKind::kGo:
      case MoveKind::kPreempt: {
        uint32_t weight = left_[key];
        if (move.who.kind == ContextKind::kIrq) {
          const uint32_t fires = fires_left(move);
          // What it interrupted goes on when the handler is through.
          weight = (weight + fires - 1) / fires + left_[below_[index(move.cpu)]];
        } else {
          below_[index(move.cpu)] = static_cast<uint8_t>(key);
        }
        return weight != 0 ? weight : !expected || interesting(moves.next(move)) ? 1 : 0;
      }
      case MoveKind::kInterrupt: return (lines_ >> move.number & 1) == 0 ? 0 : fires_left(move);
      case MoveKind::kDevice: {
        const uint32_t weight = left_[key];
        return weight != 0 ? weight : !expected || interesting(moves.next(move)) ? 1 : 0;
      }
      case MoveKind::kMigrate: return 0;
    }
    return 0;
  }

  // Whose interesting step comes next; kNoMove: nobody can take one.
  uint32_t draw(Moves& moves) {
    const std::span<const Move> enabled = moves.all();
    const bool expected = std::any_of(enabled.begin(), enabled.end(), [this](const Move& move) {
      return is_step(move) && left_[key_of(move.who)] != 0;
    });
    uint32_t lines = 0;
    uint32_t devices = 0;
    uint32_t total = 0;
    for (const Move& move : enabled) {
      const uint32_t mine = weight(moves, move, expected);
      if (mine == 0) continue;
      if (move.kind == MoveKind::kInterrupt || move.kind == MoveKind::kDevice) {
        uint32_t& counted = move.kind == MoveKind::kDevice ? devices : lines;
        if ((counted >> move.number & 1) != 0) continue;  // a line that several CPUs take counts once, and so does a device
        counted |= 1u << move.number;
      }
      total += mine;
      if (prng_.below(total) < mine) drawn_ = key_of(move.who);
    }
    if (total == 0) return kNoMove;
    later_ = prng_.one_in(2);
    return find(enabled);
  }

  Prng prng_;
  History history_;
  Intrusions intrusions_;
  std::unique_ptr<Strategy> first_ = make_pos();
  bool learning_ = true;
  bool watching_ = false;             // only steps on interesting places are asked about
  std::vector<uintptr_t> granules_;  // to be watched
  std::vector<uint32_t> chosen_;  // of each place the last execution in which it was interesting
  uint32_t execution_ = 0;
  uint32_t lines_ = 0;                      // that touch one of them
  std::array<uint32_t, kKeys> left_{};      // interesting steps that each context is expected to take yet
  std::array<uint32_t, kLinesMax> fires_{};  // of each line in an execution, at most so far
  std::array<uint8_t, kCpusMax> below_{};   // the task last seen on each CPU
  uint32_t drawn_ = kNobody;
  bool later_ = false;
};

}  // namespace

std::unique_ptr<Strategy> make_surw() { return std::make_unique<Surw>(); }

}  // namespace plait
