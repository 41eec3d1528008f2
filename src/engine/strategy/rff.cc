// SPDX-License-Identifier: Apache-2.0
//
// RFF (Wolff, Shi, Duck, Mathur, Roychoudhury: Greybox Fuzzing for Concurrency Testing, ASPLOS 2024). What a schedule
// comes to is which write each read reads from. An execution is given an abstract schedule: constraints "this read reads
// from that write", or "does not". A reader is held back until its writer was there, other writers until the reader was;
// nothing is held back when nobody else can move. Guarantee: whatever the base strategy can do, which goes on between
// the constraints; each pair of a write and a read of one place is demanded with positive probability, so what only needs
// such a pair to meet is hit without having to guess where.
//
// Differs: no corpus. Constraints are drawn anew for each execution, one to three, from the places that several contexts
// touched in earlier executions of the scenario, and from where in the code who touched them; of two draws the pair seen
// less often is demanded, or the one seen more often forbidden. The value from before the execution is a write like
// others. An interrupt whose handler holds the other end of a constraint fires when that is wanted. The base is POS in
// every second execution, which asks about every step; in the others, whoever runs goes on until it is held back.
#include <algorithm>
#include <array>
#include <vector>

#include "strategy/history.h"
#include "strategy/registry.h"

namespace plait {
namespace {

class Rff final : public Strategy {
 public:
  void begin(uint64_t seed, uint32_t length) override {
    prng_ = Prng{seed};
    history_.begin();
    ++execution_;
    priority_.fill(0);
    done_ = {};
    patience_ = 2 * length;
    waits_ = false;
    count_ = 0;
    runs_ = watching_ = watched_ = false;
    intrusions_.begin(prng_, length, kIntrusionsMax);
    const std::vector<uint32_t>& shared = history_.shared();
    if (shared.empty()) return;
    runs_ = prng_.one_in(2);
    constexpr std::array<uint8_t, 4> kConstraints = {1, 1, 2, 3};
    for (uint32_t n = kConstraints[prng_.below(kConstraints.size())]; n > 0; --n) {
      Constraint& constraint = constraints_[count_];
      constraint = demand();
      if (!prng_.one_in(2)) constraint.from = prng_.below(length);
      count_ += constraint.open;
    }
    watching_ = runs_ && execution_ > kFullMin;
  }

  Choice choose(Moves& moves, const Point& point) override {
    const std::span<const Move> enabled = moves.all();
    step_ = point.step;
    if (watching_ && !watched_) watch(moves);
    for (const Move& move : enabled) {
      if (is_step(move) && conflicts(moves.next(move), done_)) priority_[key_of(move.who)] = 0;
    }
    done_ = {};
    if (const uint32_t index = intrusions_.due(prng_, moves, point)) return {index, 0, Until::kOver};
    held_ = 0;
    wanted_ = 0;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (is_step(enabled[i])) judge(key_of(enabled[i].who), moves.next(enabled[i]));
    }
    if (held_ != 0 && !waits_) until_ = step_ + patience_;
    waits_ = held_ != 0;
    if (waits_ && step_ >= until_) count_ = 0;
    if (const uint32_t index = interrupt(enabled)) return {index, 0, Until::kOver};
    return take(moves, point.forced || !runs_ ? best(enabled) : on(enabled), point);
  }

 private:
  static constexpr uint32_t kIntrusionsMax = 3;
  static constexpr uint32_t kConstraintsMax = 3;
  static constexpr uint32_t kFullMin = 3;  // executions that see every step, before others do not
  static constexpr uint32_t kSitesMax = 8;  // of a place, that are remembered

  // Who touched a place, and from where in the code.
  struct Site {
    uintptr_t pc = 0;
    uint32_t key = 0;
    bool operator==(const Site&) const = default;
  };
  struct Side {
    std::array<Site, kSitesMax> sites{};
    uint32_t count = 0;

    // kOther: there are too many.
    uint32_t find_or_add(const Site& site) {
      const auto end = sites.begin() + count;
      const auto found = std::find(sites.begin(), end, site);
      if (found == end) {
        if (count == kSitesMax) return kOther;
        sites[count++] = site;
      }
      return static_cast<uint32_t>(found - sites.begin());
    }
  };
  static constexpr uint32_t kBefore = kSitesMax;  // as a writer: the value from before the execution
  static constexpr uint32_t kOther = kSitesMax + 1;

  struct Place {
    Side writers, readers;
    std::array<std::array<uint16_t, kSitesMax>, kSitesMax + 1> seen{};  // times that a reader read from a writer
    uint32_t execution = 0;                                            // of `last`
    uint32_t last = kBefore;                                           // wrote last
  };

  struct Constraint {
    bool open = false;
    bool reads = true;   // the reader is to read from the writer; false: it must not
    bool first = false;  // the reader's context comes before the writer's, up to the read
    bool next = false;   // it goes on as soon as the writer has written
    bool held = false;   // it waits
    uint32_t place = 0;
    uintptr_t granule = 0;
    uint64_t from = 0;  // the step from which on it counts
    uint32_t writer = 0;
    uint32_t reader = 0;
  };

  static bool conflicts(const Footprint& one, const Footprint& other) {
    return one.granule != 0 && one.granule == other.granule && (one.writes || other.writes);
  }

  Place& place(uint32_t number) {
    Place& it = places_[number];
    if (it.execution != execution_) {
      it.execution = execution_;
      it.last = kBefore;
    }
    return it;
  }

  // One of all pairs that there could be.
  Constraint pair() {
    const std::vector<uint32_t>& shared = history_.shared();
    Constraint drawn;
    drawn.place = shared[prng_.below(static_cast<uint32_t>(shared.size()))];
    const Place& it = places_[drawn.place];
    if (it.readers.count == 0) return drawn;
    drawn.open = true;
    drawn.granule = history_.granule(drawn.place);
    drawn.reader = prng_.below(it.readers.count);
    drawn.writer = prng_.below(it.writers.count + 1);
    if (drawn.writer == it.writers.count) drawn.writer = kBefore;
    return drawn;
  }

  Constraint demand() {
    Constraint one = pair();
    Constraint other = pair();
    if (!one.open) std::swap(one, other);
    const bool reads = !prng_.one_in(3);
    if (other.open && (seen(other) < seen(one)) == reads) one = other;
    one.reads = reads;
    one.first = prng_.one_in(2);
    one.next = prng_.one_in(2);
    return one;
  }

  uint16_t& seen(const Constraint& pair) { return places_[pair.place].seen[pair.writer][pair.reader]; }

  void judge(uint32_t key, const Footprint& step) {
    for (uint32_t i = 0; i < count_; ++i) {
      Constraint& it = constraints_[i];
      if (!it.open || step_ < it.from) continue;
      const Place& where = place(it.place);
      const Site& reader = where.readers.sites[it.reader];
      const bool met = where.last == it.writer;
      const bool before = it.reads && it.writer == kBefore && !met;  // too late
      if (before) it.open = false;
      if (it.reads && key == reader.key && (met ? it.next : it.first && !it.held)) wanted_ |= bit(key);
      if (before || step.granule != it.granule) continue;
      const bool is_reader = step.reads && reader == Site{step.pc, key};
      const bool is_writer =
          step.writes && it.writer != kBefore && where.writers.sites[it.writer] == Site{step.pc, key};
      if (is_reader && met && it.reads) {
        wanted_ |= bit(key);
      } else if (is_reader && met != it.reads) {
        held_ |= bit(key);
        it.held = true;
      } else if (it.reads && met && step.writes && !is_writer) {
        held_ |= bit(key);
      }
    }
  }

  // Of a line whose handler holds the other end of a constraint; 0: none.
  uint32_t interrupt(std::span<const Move> enabled) {
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < count_; ++i) {
      const Constraint& it = constraints_[i];
      if (!it.open || step_ < it.from) continue;
      const Place& where = place(it.place);
      if (it.reads && where.last == it.writer) wanted |= bit(where.readers.sites[it.reader].key);
      if (!it.held) continue;
      if (!it.reads) wanted |= history_.users(it.place);
      if (it.reads && it.writer != kBefore) wanted |= bit(where.writers.sites[it.writer].key);
    }
    uint32_t count = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 1; wanted >> 2 * kTasksMax != 0 && i < enabled.size(); ++i) {
      if (enabled[i].kind != MoveKind::kInterrupt || (wanted & bit(key_of(enabled[i].who))) == 0) continue;
      if (prng_.one_in(++count)) chosen = i;
    }
    return chosen;
  }

  static uint64_t bit(uint32_t key) { return uint64_t{1} << key; }

  // Of the contexts that are not held back, unless all are: the wanted ones first, then by POS.
  uint32_t best(std::span<const Move> enabled) {
    uint32_t best = 0;
    uint32_t rank = 0;
    uint64_t highest = 0;
    for (uint32_t i = 0; i < enabled.size(); ++i) {
      if (!is_step(enabled[i])) continue;
      const uint64_t who = bit(key_of(enabled[i].who));
      uint64_t& priority = priority_[key_of(enabled[i].who)];
      if (priority == 0) priority = prng_.next() | 1;
      const uint32_t mine = (held_ & who) != 0 ? 1 : (wanted_ & who) != 0 ? 3 : 2;
      if (mine < rank || (mine == rank && priority <= highest)) continue;
      best = i;
      rank = mine;
      highest = priority;
    }
    return best;
  }

  // Whoever runs, unless it is held back or somebody else is wanted.
  uint32_t on(std::span<const Move> enabled) {
    const uint64_t who = is_step(enabled[0]) ? bit(key_of(enabled[0].who)) : 0;
    const bool others = (wanted_ & ~held_ & ~who) != 0 && (wanted_ & who) == 0;
    return who != 0 && (held_ & who) == 0 && !others ? 0 : best(enabled);
  }

  void watch(Moves& moves) {
    watched_ = true;
    std::array<uintptr_t, kConstraintsMax> granules{};
    for (uint32_t i = 0; i < count_; ++i) granules[i] = constraints_[i].granule;
    moves.watch(std::span(granules).first(count_));
  }

  bool constrained(const Footprint& step) const {
    return std::any_of(constraints_.begin(), constraints_.begin() + count_,
                       [&](const Constraint& it) { return it.granule == step.granule; });
  }

  // Steps until somebody has to look again, where only steps on constrained places are asked about.
  uint32_t quiet(const Point& point) const {
    uint32_t quiet = intrusions_.quiet(point);
    if (waits_) quiet = std::min(quiet, static_cast<uint32_t>(until_ - step_));
    for (uint32_t i = 0; i < count_; ++i) {
      if (constraints_[i].from > step_) quiet = std::min(quiet, static_cast<uint32_t>(constraints_[i].from - step_));
    }
    return quiet;
  }

  Choice take(Moves& moves, uint32_t index, const Point& point) {
    const Move& move = moves.all()[index];
    if (!is_step(move)) return {index, 0, Until::kOver};
    const uint32_t key = key_of(move.who);
    const Footprint step = moves.next(move);
    done_ = step;
    priority_[key] = 0;
    const bool met = step.granule != 0 && constrained(step);
    // What is not asked about each time is not known: who wrote last, say.
    if (step.granule != 0 && (met || !watching_)) note(key, step);
    return {index, watching_ && !met ? quiet(point) : 0, Until::kOver};
  }

  void note(uint32_t key, const Footprint& step) {
    for (uint32_t i = 0; i < count_; ++i) {
      Constraint& it = constraints_[i];
      if (!it.open || step_ < it.from || step.granule != it.granule || !step.reads) continue;
      // It came true, or nobody else could move; either way it is over.
      const bool is_reader = place(it.place).readers.sites[it.reader] == Site{step.pc, key};
      if (is_reader && (it.reads || it.held)) it.open = false;
    }
    const uint32_t number = history_.note(key, step);
    if (number == History::kNone) return;
    if (places_.size() <= number) places_.resize(number + 1);
    Place& it = place(number);
    if (step.reads) {
      const uint32_t reader = it.readers.find_or_add({step.pc, key});
      if (reader != kOther && it.last != kOther && it.seen[it.last][reader] != UINT16_MAX) ++it.seen[it.last][reader];
    }
    if (step.writes) it.last = it.writers.find_or_add({step.pc, key});
  }

  Prng prng_;
  History history_;
  Intrusions intrusions_;
  std::vector<Place> places_;  // as numbered by the history
  std::array<Constraint, kConstraintsMax> constraints_{};
  uint32_t count_ = 0;
  uint32_t execution_ = 0;
  uint64_t step_ = 0;
  bool runs_ = false;        // the base: whoever runs goes on
  bool watching_ = false;    // only steps on constrained places are asked about
  bool watched_ = false;     // the machine knows which
  uint32_t patience_ = 0;    // steps with somebody held back until all constraints are dropped
  bool waits_ = false;       // somebody is held back,
  uint64_t until_ = 0;       // until this step at the latest
  uint64_t held_ = 0;        // bits of contexts, by key
  uint64_t wanted_ = 0;
  std::array<uint64_t, kKeys> priority_{};  // of each context's announced event; 0: to be drawn
  Footprint done_;                          // of the step that was chosen last
};

}  // namespace

std::unique_ptr<Strategy> make_rff() { return std::make_unique<Rff>(); }

}  // namespace plait
