// SPDX-License-Identifier: Apache-2.0
//
// The seam of a device: an actor of the machine beside the CPUs. It may read and write memory and raise its line when
// the schedule lets it take a step.
#pragma once

#include "base/types.h"

namespace plait {

class Machine;

class Device {
 public:
  virtual ~Device() = default;
  virtual void begin() = 0;          // a new execution
  virtual bool enabled() const = 0;  // has work that it may do now
  virtual void step(Machine& machine) = 0;
};

}  // namespace plait
