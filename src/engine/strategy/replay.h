// SPDX-License-Identifier: Apache-2.0
//
// Replays a schedule: takes each deviation where it is anchored, defaults everywhere else. A deviation that is not
// enabled at its anchor, or whose anchor never comes, is dropped and counted, so that a mutated schedule still runs.
#pragma once

#include <vector>

#include "machine/strategy.h"

namespace plait {

class Replay final : public Strategy {
 public:
  Replay() = default;
  explicit Replay(std::vector<Deviation> schedule) : schedule_(std::move(schedule)) {}

  void replace(const std::vector<Deviation>& schedule) { schedule_ = schedule; }  // and keeps its memory

  void begin(uint64_t, uint32_t) override { state_.assign(schedule_.size(), State::kOpen); }
  Choice choose(Moves& enabled, const Point& point) override;
  // What came of each deviation in the last execution: its anchor never came, it was made, it was not enabled there.
  enum class State : uint8_t { kOpen, kTaken, kDropped };
  const std::vector<State>& states() const { return state_; }
  uint32_t dropped() const;

 private:
  std::vector<Deviation> schedule_;
  std::vector<State> state_;
};

}  // namespace plait
