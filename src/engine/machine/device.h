// SPDX-License-Identifier: Apache-2.0
//
// The seam of a device: an actor of the machine beside the CPUs. It reads and writes memory and raises its line when the
// schedule lets it take a step. What has registers and several queues is a Peripheral, with a Device for each queue.
#pragma once

#include <cstdint>
#include <span>

#include "base/types.h"
#include "machine/scenario.h"

namespace plait {

class Machine;
class Io;

// What a step of a device would be. A device does several things side by side: its activities have a number each, the
// same in every execution in which they come to be by the same steps. `address`: of the word that the step is about,
// what it publishes by or looks for; 0: none. `what` tells steps of an activity apart.
struct DeviceStep {
  uint32_t activity = 0;
  uint32_t what = 0;
  uintptr_t address = 0;
  bool reads = false;
  bool writes = false;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual void begin() = 0;          // a new execution
  virtual bool enabled() const = 0;  // has work that it may do now
  // What it may do instead of what it does next by itself: fills `into` with numbers above 0, at most 255, and returns
  // how many. A number means the same as long as the device has taken no step.
  virtual uint32_t others(std::span<uint8_t> into) const {
    static_cast<void>(into);
    return 0;
  }
  // Whether it goes along its ring without being told to.
  virtual bool awake() const { return false; }
  // What it would do if more had arrived from outside, as others() does; and what such a step would meet at least.
  virtual uint32_t blocked(std::span<uint8_t> into) const {
    static_cast<void>(into);
    return 0;
  }
  virtual void meet_blocked(Io& io, uint8_t choice) const {
    static_cast<void>(io);
    static_cast<void>(choice);
  }
  virtual void step(Machine& machine, uint8_t choice) = 0;
  // What step() would do; of an enabled choice.
  virtual DeviceStep next_step(uint8_t choice) const {
    static_cast<void>(choice);
    return {};
  }
};

// Where the rings of a queue lie, for reports.
struct RingPlace {
  uint32_t size = 0;
  uint64_t table = 0;
  uint64_t available = 0;
  uint64_t used = 0;
  bool packed = false;
};

class Peripheral {
 public:
  virtual ~Peripheral() = default;
  virtual void load(const DeviceSpec& spec) = 0;  // as after power-on
  virtual void snapshot() = 0;                    // executions begin with what it is now
  virtual void begin() = 0;                       // a new execution; its queues are told apart
  virtual std::span<Device* const> queues() = 0;
  virtual uint64_t read(uint32_t offset, uint32_t bytes) = 0;
  // Null, or what the driver did wrong.
  virtual const char* write(uint32_t offset, uint64_t value, uint32_t bytes) = 0;
  // Whether an operation means something to it; and what only comes in from outside, of so many bytes.
  virtual bool takes(const Operation& operation) const = 0;
  virtual void arrive(uint32_t request, uint32_t bytes) = 0;
  virtual bool has_arrived() const = 0;  // something has, and waits
  virtual bool is_kick(uint32_t offset) const = 0;  // a write there tells a queue to look
  // At the end: whether something waits on a ring for a device that sleeps.
  virtual bool has_unseen() const = 0;
  virtual RingPlace ring(uint32_t queue) const = 0;
};

}  // namespace plait
