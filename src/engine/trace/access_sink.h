// SPDX-License-Identifier: Apache-2.0
//
// The seam for checks that look at every access in order (vector clocks, lock orders). A sink sees each visible
// operation after the schedule has granted it and before it takes effect. Without a sink accesses stay on the hooks'
// fast path; with one, each goes through the engine (bench/ measures what that costs).
#pragma once

#include <cstdint>

#include "trace/event.h"

namespace plait {

struct AccessEvent {
  EventKind kind;
  uint32_t context;  // slot in the machine's context table
  uint32_t access;   // AccessKind bits and memory order; 0 when not an access
  uint32_t size;     // bytes
  uintptr_t address;
  uintptr_t pc;
};

class AccessSink {
 public:
  virtual ~AccessSink() = default;
  virtual void begin() = 0;  // a new execution
  virtual void step(const AccessEvent& event) = 0;
};

}  // namespace plait
