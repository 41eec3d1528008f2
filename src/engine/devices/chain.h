// SPDX-License-Identifier: Apache-2.0
//
// A buffer that the driver made available: the segments of a chain of descriptors, and what became of it. What a queue
// hands to the device whose queue it is.
#pragma once

#include <cstdint>
#include <vector>

#include "machine/io.h"

namespace plait::virtio {

struct Chain {
  static constexpr uint32_t kNoRequest = ~uint32_t{0};
  uint16_t head = 0;  // descriptor; of a packed ring, the buffer's id
  bool served = false;
  bool flush = false;
  uint16_t count = 0;  // descriptors of a packed ring that it takes up
  uint32_t written = 0;  // bytes that the device wrote into it
  uint32_t request = kNoRequest;
  std::vector<Segment> segments;      // of the chain, in its order
  std::vector<uint16_t> descriptors;  // of the queue's table that it takes up
};

// What is behind a queue.
class Backend {
 public:
  // Does what the chain asks; false: the execution has failed.
  virtual bool serve(Io& io, Chain& chain) = 0;

 protected:
  ~Backend() = default;
};

}  // namespace plait::virtio
