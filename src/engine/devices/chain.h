// SPDX-License-Identifier: Apache-2.0
//
// A buffer that the driver made available: the segments of a chain of descriptors, and what became of it. What a queue
// hands to the device whose queue it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "machine/io.h"

namespace plait::virtio {

constexpr uint64_t feature(uint32_t bit) { return uint64_t{1} << bit; }

struct Chain {
  static constexpr uint32_t kNoRequest = ~uint32_t{0};
  uint16_t head = 0;  // descriptor; of a packed ring, the buffer's id
  bool served = false;
  bool flush = false;
  uint16_t count = 0;  // descriptors of a packed ring that it takes up
  uint16_t serial = 0;   // how many were taken before it
  uint32_t written = 0;  // bytes that the device wrote into it
  uint32_t request = kNoRequest;
  // Chains that were served together are returned together.
  uint32_t group = 0;
  uint32_t part = 0;
  uint32_t parts = 1;
  std::vector<Segment> segments;      // of the chain, in its order
  std::vector<uint16_t> descriptors;  // of the queue's table that it takes up
};

// What is behind the registers and the queues: one kind of device.
class Backend {
 public:
  virtual void load(const DeviceSpec& spec) = 0;  // as after power-on
  virtual void begin() = 0;                       // a new execution
  virtual uint64_t features() const = 0;          // that it offers, beside those of every virtio device
  virtual void agree(uint64_t features) { static_cast<void>(features); }  // what driver and device settled on
  virtual uint64_t config(uint32_t offset, uint32_t bytes) const = 0;
  virtual bool takes(const Operation& operation) const = 0;
  virtual void arrive(uint32_t request, uint32_t bytes) = 0;  // from outside
  virtual bool has_arrived() const { return false; }          // something has, and waits
  virtual bool waits(uint32_t queue) const {  // a queue on which nothing is begun before something has arrived
    static_cast<void>(queue);
    return false;
  }
  // How many chains what comes next takes, when the first of them is this one of `open`, which is not served; 0: there is
  // nothing to do; kMore: more than are open.
  static constexpr uint32_t kMore = ~uint32_t{0};
  virtual uint32_t needs(uint32_t queue, std::span<const Chain> open, uint32_t first) const {
    static_cast<void>(queue);
    return first < open.size() ? 1 : kMore;
  }
  // Does what these chains of the queue ask, as many as are needed; false: the execution has failed.
  virtual bool serve(Io& io, uint32_t queue, std::span<Chain* const> chains) = 0;

 protected:
  ~Backend() = default;
};

}  // namespace plait::virtio
