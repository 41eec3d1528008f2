// SPDX-License-Identifier: Apache-2.0
//
// What strategies share that order the steps of contexts: who a move belongs to, and where interrupts and migrations
// come. Those are no steps that wait for their turn: a handler is enabled nearly always, so among waiting steps it would
// nearly always be first. Their places are drawn before the execution, spread over the longest one so far; there a kind
// of move is drawn, then one of that kind, so that many migrations do not crowd out the one interrupt. Not all come where
// they are drawn: some wait until a context is about to ask for its CPU, or to take interrupts or preemption off, and
// meet this context, as it is between such steps that the CPU can be lost; some until interrupts have come on somewhere.
#pragma once

#include <array>
#include <span>

#include "base/prng.h"
#include "machine/strategy.h"

namespace plait {

// Tasks, workers, interrupt lines and devices, numbered.
constexpr uint32_t kKeys = 2 * kTasksMax + kLinesMax + kDevicesMax;
constexpr uint32_t key_of(const ContextId& who) {
  const uint32_t first = who.kind == ContextKind::kTask     ? 0
                         : who.kind == ContextKind::kWorker ? kTasksMax
                         : who.kind == ContextKind::kDevice ? 2 * kTasksMax + kLinesMax
                                                            : 2 * kTasksMax;
  return first + who.number;
}
// A device takes steps as a context does; which of those that it could take now is another matter.
constexpr bool is_step(const Move& move) {
  return move.kind == MoveKind::kGo || move.kind == MoveKind::kPreempt || move.kind == MoveKind::kDevice;
}

class Intrusions {
 public:
  // None to `max` of them.
  void begin(Prng& prng, uint32_t length, uint32_t max) {
    length_ = length;
    left_ = prng.below(max + 1);
    draw(prng, 0);
  }

  // Index of the move to make; 0: none is due, or there is none to make. `without`: a bit for each line whose interrupts
  // are somebody else's business.
  uint32_t due(Prng& prng, Moves& moves, const Point& point, uint32_t without = 0) {
    if (left_ == 0 || point.step < next_) return 0;
    const std::span<const Move> enabled = moves.all();
    uint32_t cpus = 0;
    switch (aim_) {
      case Aim::kAnywhere: break;
      case Aim::kBefore:
        if (!point.forced && is_step(enabled[0]) && moves.next(enabled[0]).cpu) cpus = 1u << index(enabled[0].cpu);
        break;
      case Aim::kAfter: {
        const uint32_t open = open_;
        open_ = interruptible(enabled);
        cpus = open_ & ~open;
        break;
      }
    }
    if (aim_ != Aim::kAnywhere && cpus == 0 && point.step < next_ + length_ / 2) return 0;
    const uint32_t aimed = cpus != 0 ? pick(prng, enabled, without, cpus) : 0;
    --left_;
    draw(prng, point.step);
    return aimed != 0 ? aimed : pick(prng, enabled, without, ~0u);
  }

  // Steps until the next one may come.
  uint32_t quiet(const Point& point) const {
    return left_ == 0 ? kForever : next_ > point.step ? static_cast<uint32_t>(next_ - point.step) : 0;
  }

 private:
  enum class Aim : uint8_t { kAnywhere, kBefore, kAfter };

  void draw(Prng& prng, uint64_t step) {
    constexpr std::array<Aim, 4> kAims = {Aim::kAnywhere, Aim::kBefore, Aim::kBefore, Aim::kAfter};
    next_ = step + 1 + prng.below(length_);
    aim_ = kAims[prng.below(kAims.size())];
    open_ = ~0u;
  }

  static uint32_t interruptible(std::span<const Move> enabled) {
    uint32_t cpus = 0;
    for (const Move& move : enabled) {
      if (move.kind == MoveKind::kInterrupt) cpus |= 1u << index(move.cpu);
    }
    return cpus;
  }

  // A kind of move first, then one of that kind. `cpus`: interrupts only there; if not all, migrations only of the
  // context that goes on by default.
  static uint32_t pick(Prng& prng, std::span<const Move> enabled, uint32_t without, uint32_t cpus) {
    // Of a device also what it would not do next by itself.
    if (const uint32_t device = cpus == ~0u ? one_device(prng, enabled) : 0; device != 0 && prng.one_in(2)) return device;
    const bool interrupt = prng.one_in(2);
    for (const MoveKind kind : {interrupt ? MoveKind::kInterrupt : MoveKind::kMigrate,
                                interrupt ? MoveKind::kMigrate : MoveKind::kInterrupt}) {
      uint32_t count = 0;
      uint32_t chosen = 0;
      for (uint32_t i = 1; i < enabled.size(); ++i) {
        const Move& move = enabled[i];
        if (move.kind != kind) continue;
        if (kind == MoveKind::kInterrupt && (without >> move.number & 1) != 0) continue;
        const bool meets = kind == MoveKind::kInterrupt ? (cpus >> index(move.cpu) & 1) != 0
                                                        : cpus == ~0u || move.who == enabled[0].who;
        if (!meets) continue;
        if (prng.one_in(++count)) chosen = i;
      }
      if (chosen != 0) return chosen;
    }
    return 0;
  }

  static uint32_t one_device(Prng& prng, std::span<const Move> enabled) {
    uint32_t count = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < enabled.size(); ++i) {
      if (enabled[i].kind == MoveKind::kDevice && prng.one_in(++count)) chosen = i;
    }
    return chosen;
  }

  uint32_t length_ = 1;
  uint32_t left_ = 0;
  uint64_t next_ = 0;  // the step from which on the next one comes
  Aim aim_ = Aim::kAnywhere;
  uint32_t open_ = 0;  // CPUs that took interrupts at the last question
};

}  // namespace plait
