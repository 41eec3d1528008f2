// SPDX-License-Identifier: Apache-2.0
//
// The block device of virtio 1.3, 5.2, over a disk in memory. It knows which requests are on their way, and so whether
// what a chain asks for is what the driver was asked for.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "devices/chain.h"
#include "devices/ring.h"

namespace plait::virtio {

constexpr uint64_t kBlockSizeMax = feature(1);
constexpr uint64_t kBlockSegMax = feature(2);
constexpr uint64_t kBlockReadOnly = feature(5);
constexpr uint64_t kBlockBlockSize = feature(6);
constexpr uint64_t kBlockFlush = feature(9);
constexpr uint64_t kBlockQueues = feature(12);
constexpr uint64_t kBlockDiscard = feature(13);
constexpr uint64_t kBlockWriteZeroes = feature(14);
constexpr uint8_t kBlockOk = 0;
constexpr uint8_t kBlockIoError = 1;
constexpr uint8_t kBlockUnsupported = 2;

// What a discard or a write of zeroes is for: struct virtio_blk_discard_write_zeroes, 5.2.6.
constexpr uint32_t kRangeBytes = 16;
constexpr uint32_t kUnmap = 1;           // of its flags
constexpr uint32_t kRangesMax = 2;       // of a request
constexpr uint32_t kRangeSectorsMax = 2;
struct BlockRange {
  uint64_t sector = 0;
  uint32_t sectors = 0;
  uint32_t flags = 0;
};
inline BlockRange load_range(const void* from) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  return {load<uint64_t>(bytes), load<uint32_t>(bytes + 8), load<uint32_t>(bytes + 12)};
}

class Block final : public Backend {
 public:
  void load(const DeviceSpec& spec) override;
  void begin() override;  // the disk as it was
  uint64_t features() const override;
  void agree(uint64_t features) override { size_max_ = features & kBlockSizeMax ? kSectorBytes : ~uint32_t{0}; }
  uint64_t config(uint32_t offset, uint32_t bytes) const override;
  bool takes(const Operation& operation) const override { return !is_packet(operation.kind); }
  void arrive(uint32_t, uint32_t) override {}
  bool serve(Io& io, uint32_t queue, std::span<Chain* const> chains) override;

 private:
  static constexpr uint32_t kWords = kSectorBytes / 8;
  struct Header {
    uint32_t type = 0;
    uint64_t sector = 0;
  };

  void configure();
  bool split(Io& io, Chain& chain, Header& header);
  bool serve_flush(Io& io, Chain& chain);
  bool serve_data(Io& io, Chain& chain, const Header& header, uint8_t& status);
  bool serve_ranges(Io& io, Chain& chain, const Header& header, uint8_t& status);
  bool read_ranges(Io& io, const Header& header);
  uint8_t perform_ranges(uint32_t type, const BlockRange& whole);
  void served(Chain& chain, Request& request, uint8_t status) const;
  bool matches(Io& io, const Header& header, const Request& request);
  uint8_t perform(const Header& header, const Request& request);
  void touch_data(Io& io, const Request& request) const;

  uint32_t sectors_ = 0;
  bool read_only_ = false;
  uint32_t queues_ = 1;
  uint32_t size_max_ = ~uint32_t{0};  // bytes of a segment, as agreed
  std::array<unsigned char, 60> config_{};
  std::vector<uint64_t> disk_;
  std::vector<uint64_t> at_start_;
  std::vector<uint32_t> dirty_;  // sectors
  std::vector<Segment> data_;    // of the chain that is served
  std::vector<BlockRange> ranges_;
  Segment status_;
};

}  // namespace plait::virtio
