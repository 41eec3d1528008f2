// SPDX-License-Identifier: Apache-2.0
#include "search/sweep.h"

#include <algorithm>

#include "strategy/replay.h"

namespace plait {
namespace {

constexpr uint64_t kUsualSteps = 200;  // of an execution that counts once
constexpr uint64_t kEndless = 1000;    // as many executions take as long as a check that does not come to its end

bool same_anywhere(const Move& one, const Move& other) {
  const auto switches = [](const Move& move) { return move.kind == MoveKind::kGo || move.kind == MoveKind::kPreempt; };
  if (switches(one) && switches(other)) return true;
  const bool numbered = one.kind == MoveKind::kInterrupt || one.kind == MoveKind::kDevice;
  return one.kind == other.kind && (!numbered || (one.number == other.number && one.choice == other.choice));
}

// Replays a prefix and notes, from its last deviation on, what else could have been done at each step.
class Capture final : public Strategy {
 public:
  Capture(const std::vector<Deviation>& prefix, const SweepOptions& options)
      : left_(prefix.size()), replay_(prefix), options_(options) {}

  void begin(uint64_t seed, uint32_t length) override {
    replay_.begin(seed, length);
    taken_ = 0;
    branches_.clear();
  }

  Choice choose(Moves& enabled, const Point& point) override {
    Choice choice = replay_.choose(enabled, point);
    if (choice.index != 0) ++taken_;
    if (choice.index == 0 && taken_ == left_) {
      const std::span<const Move> moves = enabled.all();
      for (size_t i = 1; i < moves.size(); ++i) note(point, moves[i]);
      choice = {0, 0, Until::kOver};
    }
    return choice;
  }

  const std::vector<Deviation>& branches() const { return branches_; }

 private:
  void note(const Point& point, Move move) {
    if (move.kind == MoveKind::kGo || move.kind == MoveKind::kInterrupt) move.who = {};
    const auto same = [&](const Move& wanted) { return options_.anywhere ? same_anywhere(move, wanted) : move == wanted; };
    const std::vector<Move>& wanted = options_.moves;
    if (wanted.empty() || std::any_of(wanted.begin(), wanted.end(), same)) branches_.push_back({point.context, point.after, move});
  }

  size_t left_;
  size_t taken_ = 0;
  Replay replay_;
  const SweepOptions& options_;
  std::vector<Deviation> branches_;
};

RunOptions exact(const Limits& limits) {
  RunOptions options;
  options.limits = limits;
  options.exact = true;
  return options;
}

void shuffle(std::vector<Deviation>& items, Prng& prng) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[prng.below(static_cast<uint32_t>(i))]);
}

}  // namespace

bool Sweep::execute(Strategy& strategy, const Schedule& schedule) {
  const Outcome outcome = machine_.run(strategy, 0, exact(options_.limits));
  count(outcome);
  if (outcome.verdict != VerdictKind::kFailed || outcome.failure.kind != options_.kind) return false;
  const bool known = std::any_of(found_.begin(), found_.end(), [&](const Swept& each) { return each.outcome.cause == outcome.cause; });
  if (!known) found_.push_back({outcome, schedule});
  return std::find(options_.until.begin(), options_.until.end(), outcome.cause) != options_.until.end();
}

// Long ones count several times, so that a budget is one of time as well.
void Sweep::count(const Outcome& outcome) {
  ++executions_;
  spent_ += 1 + outcome.steps / kUsualSteps;
  const bool livelock = outcome.verdict == VerdictKind::kFailed && outcome.failure.kind == FailureKind::kLivelock;
  if (livelock && outcome.steps < options_.limits.operation_steps) spent_ += kEndless;  // steps of a check are not counted
}

// Whether it may run nothing more.
bool Sweep::over() {
  if (spent_ < options_.executions) return false;
  complete_ = false;
  return true;
}

// The schedules that add a deviation to one of these, at most so many to each.
bool Sweep::level(const std::vector<Schedule>& prefixes, uint32_t children_max, std::vector<Schedule>* next) {
  for (const Schedule& prefix : prefixes) {
    Capture capture{prefix, options_};
    machine_.run(capture, 0, exact(options_.limits));
    std::vector<Deviation> branches = capture.branches();
    if (branches.size() > children_max) {
      shuffle(branches, prng_);
      branches.resize(children_max);
      complete_ = false;
    }
    for (const Deviation& branch : branches) {
      if (over()) return false;
      Schedule schedule = prefix;
      schedule.push_back(branch);
      Replay replay{schedule};
      if (execute(replay, schedule)) return true;
      if (next) next->push_back(std::move(schedule));
    }
  }
  return false;
}

bool Sweep::run() {
  std::vector<Schedule> prefixes = {{}};
  Replay nothing;
  if (execute(nothing, {})) return true;
  for (uint32_t deviations = 1; deviations <= options_.deviations && !prefixes.empty(); ++deviations) {
    // All with one; of those with more so many that each prefix gets its share.
    const uint64_t left = options_.executions - std::min<uint64_t>(options_.executions, spent_);
    const auto each = static_cast<uint32_t>(left / prefixes.size());
    if (deviations > 1 && each < 4) {
      for (size_t i = prefixes.size(); i > 1; --i) std::swap(prefixes[i - 1], prefixes[prng_.below(static_cast<uint32_t>(i))]);
      complete_ = false;
      prefixes.resize(std::max<size_t>(1, static_cast<size_t>(left / 4)));
    }
    std::vector<Schedule> next;
    if (level(prefixes, std::max(each, 4u), deviations < options_.deviations ? &next : nullptr)) return true;
    if (!next.empty() && over()) return false;
    prefixes = std::move(next);
  }
  return false;
}

ProgramSize size_of(const Scenario& scenario) {
  ProgramSize size;
  for (const TaskSpec& task : scenario.tasks) size.operations += static_cast<uint32_t>(task.operations.size());
  size.contexts = static_cast<uint32_t>(scenario.tasks.size());
  for (const LineSpec& line : scenario.lines) {
    if (line.vector != LineSpec::kNoVector) continue;  // it comes with the device
    size.operations += static_cast<uint32_t>(line.operations.size());
    size.contexts += 1 + line.fires;
  }
  return size;
}

}  // namespace plait
