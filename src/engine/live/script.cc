// SPDX-License-Identifier: Apache-2.0
#include "live/script.h"

#include <algorithm>
#include <utility>

namespace plait {
namespace {

constexpr uint32_t kNone = kStop;

bool is_return(EventKind kind) {
  return kind == EventKind::kReturnAlloc || kind == EventKind::kReturnFree || kind == EventKind::kReturnRequest;
}

}  // namespace

void Script::begin(uint64_t, uint32_t) {
  news_.clear();
  taken_.clear();
  next_ = 0;
  following_ = true;
  done_ = false;
  dropped_ = 0;
  closed_ = openings_ = 0;
}

uint32_t Script::steps_of(ContextId who) const {
  for (const Taken& taken : taken_) {
    if (taken.who == who) return taken.steps;
  }
  return 0;
}

void Script::note(ContextId who, uint32_t steps) {
  if (steps == 0) return;
  const auto known = std::find_if(taken_.begin(), taken_.end(), [&](const Taken& taken) { return taken.who == who; });
  if (known == taken_.end()) {
    taken_.push_back({who, steps});
  } else if (known->steps == steps) {
    return;
  } else {
    known->steps = steps;
  }
  if (!following_) append(news_, {Act::Kind::kSteps, who, steps, {}, 0, false, 0});
}

void Script::append(std::vector<Act>& acts, const Act& act) {
  const bool same = !acts.empty() && act.kind == Act::Kind::kSteps && acts.back().kind == Act::Kind::kSteps &&
                    acts.back().who == act.who && !acts.back().most && !act.most;
  if (same && acts.back().steps == act.steps) return;  // known, with the choice that it was
  if (same && acts.back().choice == 0 && act.choice == 0) {
    acts.back() = act;
  } else {
    acts.push_back(act);
  }
}

uint32_t Script::find(std::span<const Move> moves, const Act& act) {
  for (uint32_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    switch (act.kind) {
      case Act::Kind::kSteps:
        if ((move.kind == MoveKind::kGo || move.kind == MoveKind::kPreempt || move.kind == MoveKind::kDevice) &&
            move.who == act.who && move.choice == act.choice) {
          return i;
        }
        break;
      case Act::Kind::kInterrupt:
        if (move.kind == MoveKind::kInterrupt && move.cpu == act.cpu && move.number == act.line) return i;
        break;
      case Act::Kind::kMigrate:
        if (move.kind == MoveKind::kMigrate && move.cpu == act.cpu && move.who == act.who) return i;
        break;
    }
  }
  return kNone;
}

std::optional<Choice> Script::follow(Moves& enabled) {
  while (next_ < acts_.size()) {
    const Act& act = acts_[next_];
    const uint32_t taken = act.kind == Act::Kind::kSteps ? steps_of(act.who) : 0;
    if (act.kind == Act::Kind::kSteps && taken >= act.steps) {
      ++next_;
      continue;
    }
    const uint32_t index = find(enabled.all(), act);
    if (act.kind != Act::Kind::kSteps || index == kNone) ++next_;
    if (index != kNone) return Choice{index, act.kind == Act::Kind::kSteps ? act.steps - taken - 1 : 0, Until::kOver};
    // A task with nothing to do migrates once it has something.
    if (act.kind != Act::Kind::kMigrate && !act.most) ++dropped_;
  }
  return std::nullopt;
}

// Whether who was asked about has just let somebody in whom it had kept out, and its operation is not over.
bool Script::opens() {
  const auto known = std::find_if(machine_.contexts().begin(), machine_.contexts().end(),
                                  [&](const Context* each) { return each->id == request_.who; });
  if (known == machine_.contexts().end()) return false;
  const uint32_t before = std::exchange(closed_, closed_to(machine_.cpu(static_cast<uint32_t>((*known)->cpu))));
  return closed_ < before && !is_return((*known)->pending.kind);
}

Choice Script::act(Moves& enabled) {
  constexpr Choice kLeave{kStop, 0, Until::kOver};
  switch (then_) {
    case Then::kStop: break;
    case Then::kSteps: {
      Act wanted = request_;
      if (taken() != 0) wanted.choice = 0;
      const uint32_t index = taken() < request_.steps ? find(enabled.all(), wanted) : kNone;
      if (index == kNone) return kLeave;
      if (wanted.choice != 0) {
        wanted.steps = base_ + 1;
        append(news_, wanted);
      }
      return {index, request_.steps - taken() - 1, Until::kOver};
    }
    case Then::kOpening: {
      openings_ += opens();
      const uint32_t index = openings_ < request_.steps ? find(enabled.all(), request_) : kNone;
      return index == kNone ? kLeave : Choice{index, 0, Until::kOver};
    }
    case Then::kPreempt: {
      const std::span<const Move> moves = enabled.all();
      const uint32_t in = done_ ? kNone : find(moves, request_);
      if (done_) return kLeave;
      done_ = in != kNone;
      if (done_) return {in, 0, Until::kOver};
      const auto goes_on = [&](const Move& move) { return move.kind == MoveKind::kGo && move.cpu == request_.cpu; };
      const auto out = std::find_if(moves.begin(), moves.end(), goes_on);
      return out == moves.end() ? kLeave : Choice{static_cast<uint32_t>(out - moves.begin()), 0, Until::kOver};
    }
    case Then::kInterrupt:
    case Then::kMigrate: {
      const uint32_t index = done_ ? kNone : find(enabled.all(), request_);
      if (index == kNone) return kLeave;
      done_ = true;
      news_.push_back(request_);
      return {index, 0, Until::kOver};
    }
    case Then::kDefaults: {
      const Move& first = enabled.all()[0];
      if (first.kind == MoveKind::kInterrupt) {
        news_.push_back({Act::Kind::kInterrupt, {}, 0, first.cpu, first.number, false, 0});
      }
      return {0, kForever, Until::kSwitch};
    }
  }
  return kLeave;
}

uint32_t closed_to(const Cpu& cpu) {
  const bool to_tasks = !cpu.irq_enabled || cpu.preempt_count != 0 || cpu.depth != 0;
  return uint32_t{to_tasks} + uint32_t{!cpu.irq_enabled};
}

Choice Script::choose(Moves& enabled, const Point& point) {
  if (point.context.kind != ContextKind::kStart) note(point.context, point.after);
  if (following_) {
    if (const std::optional<Choice> choice = follow(enabled)) return *choice;
    following_ = false;
    base_ = steps_of(request_.who);
  }
  return act(enabled);
}

}  // namespace plait
