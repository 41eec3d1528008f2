// SPDX-License-Identifier: Apache-2.0
//
// ENGINE_CHECK: for what can only be wrong through a bug of the engine itself. Prints what, where, and whatever the
// engine set as its black box (seed and schedule so far), then aborts. Mistakes of users never end here.
#pragma once

namespace plait {

// Set by the search loop: prints the seed and the schedule of the execution in progress to stderr.
using BlackBox = void (*)(void* argument);
void set_black_box(BlackBox box, void* argument);
[[noreturn]] void engine_check_failed(const char* condition, const char* file, int line);

}  // namespace plait

#define ENGINE_CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::plait::engine_check_failed(#condition, __FILE__, __LINE__))
