// SPDX-License-Identifier: Apache-2.0
//
// The network device of virtio 1.3, 5.1, with one receive queue and one transmit queue. It knows which packets are on
// their way, and so whether what a chain holds is what was to be sent. What comes in waits outside until there is room
// for it: nothing is dropped, so a packet that does not arrive is the driver's doing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "devices/chain.h"
#include "devices/net_header.h"

namespace plait::virtio {

constexpr uint64_t kNetMtu = feature(3);
constexpr uint64_t kNetMac = feature(5);
constexpr uint64_t kNetMergeable = feature(15);
constexpr uint32_t kReceiveQueue = 0;
constexpr uint32_t kTransmitQueue = 1;

class Net final : public Backend {
 public:
  void load(const DeviceSpec& spec) override;
  void begin() override;  // nothing waits outside
  uint64_t features() const override;
  void agree(uint64_t features) override { merges_ = (features & kNetMergeable) != 0; }
  uint64_t config(uint32_t offset, uint32_t bytes) const override;
  bool takes(const Operation& operation) const override;
  void arrive(uint32_t request, uint32_t bytes) override { outside_.push_back({request, bytes}); }
  bool has_arrived() const override { return next_ != outside_.size(); }
  bool waits(uint32_t queue) const override { return queue == kReceiveQueue; }
  uint32_t needs(uint32_t queue, std::span<const Chain> open, uint32_t first) const override;
  bool serve(Io& io, uint32_t queue, std::span<Chain* const> chains) override;

 private:
  static constexpr uint32_t kPacketMax = DeviceSpec::kMtuMax + DeviceSpec::kEthernetBytes;
  struct Packet {
    uint32_t request = 0;
    uint32_t bytes = 0;
  };

  uint32_t packet_max() const { return mtu_ + DeviceSpec::kEthernetBytes; }
  bool receive(Io& io, std::span<Chain* const> chains);
  bool has_room(Io& io, const Chain& chain) const;
  bool send(Io& io, Chain& chain);
  bool gather(Io& io, const Chain& chain, uint32_t& bytes);
  bool header_is_plain(Io& io, const Chain& chain) const;
  bool matches(Io& io, uint64_t address, uint32_t bytes, Request*& request) const;

  uint32_t mtu_ = DeviceSpec::kMtuMin;
  bool offers_merging_ = false;
  bool merges_ = false;  // negotiated
  std::vector<Packet> outside_;  // that wait for room
  uint32_t next_ = 0;            // of them
  std::array<uint8_t, kNetHeaderBytes + kPacketMax> frame_{};  // as it lies in the buffers
};

}  // namespace plait::virtio
