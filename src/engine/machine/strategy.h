// SPDX-License-Identifier: Apache-2.0
//
// The seam of a search strategy: who moves next. A strategy decides; it has no limits, clock, output or memory of
// traces: the machine records and the search loop spends.
//
// One object serves the executions of one scenario: the search makes a new one for the next. So what it has learnt in
// earlier executions is about the same programs, and its choices are a function of the calls so far. Addresses are
// good for telling places apart, never for deciding: they differ from process to process.
#pragma once

#include <cstdint>
#include <span>

#include "base/types.h"

namespace plait {

// Where the execution stands when the strategy is asked.
struct Point {
  ContextId context;   // took the last step
  uint32_t after = 0;  // visible operations that it has done
  uint64_t step = 0;   // visible operations that everybody has done
  bool forced = false; // the context cannot go on: some switch will happen
};

// What ends the quiet time of a choice early. A default that cannot go on always does.
enum class Until : uint8_t {
  kOver,    // nothing else
  kSwitch,  // another context takes steps
  kChange,  // a move may have become enabled that was not
};

// The choice, and for how many further visible operations to be left alone: so long the machine takes defaults without
// asking. This is what makes a step a function call and not a question.
struct Choice {
  uint32_t index = 0;  // into all(); 0: the default; or kStop
  uint32_t quiet = 0;
  Until until = Until::kOver;
};

// What a context's announced step will touch: for strategies that tell steps that commute from those that do not.
struct Footprint {
  uintptr_t granule = 0;  // 8 bytes of memory, or a lock; 0: nothing that another step could touch
  uintptr_t pc = 0;       // where in the code; of a device's step, which kind of step it is
  bool reads = false;     // a step on a lock does both
  bool writes = false;
  bool cpu = false;  // asks which CPU this is, or takes interrupts or preemption off there
};

// The enabled moves, made only when somebody looks at them: most choices are the default.
class Moves {
 public:
  virtual std::span<const Move> all() = 0;  // [0] is the default move; go and interrupt carry in `who` who would run
  // Of a go or a preempt that is enabled, or of a device's move.
  virtual Footprint next(const Move& move) = 0;
  // From now on in this execution every step on one of these is asked about, however long the quiet time. 16 at most.
  virtual void watch(std::span<const uintptr_t> granules) = 0;

 protected:
  ~Moves() = default;
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // A new execution. `length`: visible operations of the longest one of this scenario so far, at least 1. The same seed
  // and length make the same choices for the same questions.
  virtual void begin(uint64_t seed, uint32_t length) = 0;
  virtual Choice choose(Moves& enabled, const Point& point) = 0;
};

constexpr uint32_t kForever = 1u << 30;
constexpr uint32_t kStop = ~0u;  // the execution ends here, as it stands

}  // namespace plait
