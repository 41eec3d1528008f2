// SPDX-License-Identifier: Apache-2.0
//
// A failure and its evidence. Built once, when an execution has failed, so it may allocate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"

namespace plait {

struct Evidence {
  bool has_context = false;
  ContextId context;
  int cpu = -1;           // -1: none
  uint64_t pc = 0;        // module-relative return address; 0: none
  bool has_address = false;
  uint64_t address = 0;   // encoded as in trace/event.h
  std::string what;
};

struct Failure {
  FailureKind kind = FailureKind::kCrash;
  std::string message;             // one sentence
  std::vector<Evidence> evidence;  // the failing access first
};

}  // namespace plait
