// SPDX-License-Identifier: Apache-2.0
//
// `original` for builds whose accesses are not announced. Without announcements there is no undo log, so nothing would
// bring the pool back to its first state between executions, and the second one would already fail. Here the pool does
// it itself, at the end of the check that follows each execution: a few dozen words, against thousands of accesses.
// Only for executions that pass, because others are not checked.
#include "plait/target.h"

#undef PLAIT_TARGET
#define PLAIT_TARGET(...) constexpr plait_target original = {.abi = PLAIT_TARGET_ABI, __VA_ARGS__}
#include "../../targets/original/pool.cc"

namespace {

// One by one and in order: a call of memset would be announced, and undone.
void reset() {
  for (Pool& pool : pools) {
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      pool.pages[cpu].first = nullptr;
      next_step();
      pool.pages[cpu].last = nullptr;
      next_step();
    }
  }
  for (uint32_t owner = 0; owner < plait_cpu_count(); ++owner) {
    for (uint32_t cpu = 0; cpu < plait_cpu_count(); ++cpu) {
      rings[owner][cpu].begin.store(0, std::memory_order_relaxed);
      rings[owner][cpu].end.store(0, std::memory_order_relaxed);
    }
    sync[owner].slot.store(nullptr, std::memory_order_relaxed);
  }
}

constexpr plait_target with_reset() {
  plait_target target = original;
  target.check = [] {
    original.check();
    reset();
  };
  return target;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const plait_target plait_target;
constinit const struct plait_target plait_target = with_reset();
