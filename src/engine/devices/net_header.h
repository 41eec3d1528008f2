// SPDX-License-Identifier: Apache-2.0
//
// What stands in front of each packet on a network device's queues, as virtio 1.3 lays it out (5.1.6). Pure functions
// over bytes: the device uses them, and so do the tests that compare them with the specification.
#pragma once

#include <cstdint>

#include "devices/ring.h"

namespace plait::virtio {

constexpr uint32_t kNetHeaderBytes = 12;

struct NetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;  // 0: none
  uint16_t header_length = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
  uint16_t buffers = 0;  // that a packet lies in; of one to send, 0
};

inline NetHeader load_net_header(const void* from) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  return {bytes[0],
          bytes[1],
          load<uint16_t>(bytes + 2),
          load<uint16_t>(bytes + 4),
          load<uint16_t>(bytes + 6),
          load<uint16_t>(bytes + 8),
          load<uint16_t>(bytes + 10)};
}

inline void store_net_header(void* to, const NetHeader& header) {
  auto* bytes = static_cast<unsigned char*>(to);
  bytes[0] = header.flags;
  bytes[1] = header.gso_type;
  store(bytes + 2, header.header_length);
  store(bytes + 4, header.gso_size);
  store(bytes + 6, header.checksum_start);
  store(bytes + 8, header.checksum_offset);
  store(bytes + 10, header.buffers);
}

}  // namespace plait::virtio
