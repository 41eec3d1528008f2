// SPDX-License-Identifier: Apache-2.0
#include "strategy/replay.h"

#include <algorithm>

namespace plait {
namespace {

bool same(const Move& wanted, const Move& enabled) {
  if (wanted.kind != enabled.kind) return false;
  switch (wanted.kind) {
    case MoveKind::kGo: return wanted.cpu == enabled.cpu;
    case MoveKind::kInterrupt: return wanted.cpu == enabled.cpu && wanted.number == enabled.number;
    case MoveKind::kPreempt:
    case MoveKind::kMigrate: return wanted.cpu == enabled.cpu && wanted.who == enabled.who;
    case MoveKind::kDevice: return wanted.number == enabled.number && wanted.choice == enabled.choice;
  }
  return false;
}

}  // namespace

Choice Replay::choose(Moves& enabled, const Point& point) {
  uint32_t next = kForever;
  for (size_t i = 0; i < schedule_.size(); ++i) {
    const Deviation& deviation = schedule_[i];
    if (state_[i] != State::kOpen || deviation.anchor != point.context) continue;
    if (deviation.after > point.after) {
      next = std::min(next, deviation.after - point.after);
    } else if (deviation.after == point.after) {
      const std::span<const Move> moves = enabled.all();
      const auto found =
          std::find_if(moves.begin(), moves.end(), [&](const Move& move) { return same(deviation.move, move); });
      if (found == moves.end()) {
        state_[i] = State::kDropped;
        continue;
      }
      state_[i] = State::kTaken;
      return {static_cast<uint32_t>(found - moves.begin()), 0, Until::kSwitch};
    }
  }
  return {0, next, Until::kSwitch};
}

uint32_t Replay::dropped() const {
  return static_cast<uint32_t>(std::count_if(state_.begin(), state_.end(), [](State s) { return s != State::kTaken; }));
}

}  // namespace plait
