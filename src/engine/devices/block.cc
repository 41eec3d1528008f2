// SPDX-License-Identifier: Apache-2.0
#include "devices/block.h"

#include <algorithm>
#include <cstring>

#include "base/hot.h"
#include "base/text.h"
#include "devices/ring.h"

namespace plait::virtio {
namespace {

constexpr uint32_t kHeaderBytes = 16;
constexpr uint32_t kSegmentsMax = 64;
constexpr uint64_t kDiskSeed = uint64_t{1} << 40;  // of no request
constexpr uint64_t kDiscardedSeed = uint64_t{1} << 41;  // what is there then is the device's choice
constexpr char kDiskName[kNameBytes + 1] = "plait in-memory disk";  // as long as it may be: with no zero behind

Text type_name(uint32_t type) {
  switch (type) {
    case PLAIT_REQUEST_READ: return "to read";
    case PLAIT_REQUEST_WRITE: return "to write";
    case PLAIT_REQUEST_FLUSH: return "to flush";
    case PLAIT_REQUEST_DISCARD: return "to discard";
    case PLAIT_REQUEST_WRITE_ZEROES: return "to write zeroes";
    case PLAIT_REQUEST_GET_ID: return "for its name";
    default: return "for type " + Text::of(type);
  }
}

OperationKind kind_of(uint32_t type) {
  switch (type) {
    case PLAIT_REQUEST_READ: return OperationKind::kRead;
    case PLAIT_REQUEST_WRITE: return OperationKind::kWrite;
    case PLAIT_REQUEST_DISCARD: return OperationKind::kDiscard;
    case PLAIT_REQUEST_WRITE_ZEROES: return OperationKind::kWriteZeroes;
    case PLAIT_REQUEST_GET_ID: return OperationKind::kGetId;
    default: return OperationKind::kFlush;
  }
}

}  // namespace

void Block::load(const DeviceSpec& spec) {
  sectors_ = spec.sectors;
  read_only_ = spec.read_only;
  queues_ = static_cast<uint32_t>(spec.vectors.size());
  begin();
  // Disks begin alike, and a smaller one uses the first sectors of the largest so far: to make one takes longer than to run.
  for (auto sector = static_cast<uint32_t>(disk_.size() / kWords); sector < sectors_; ++sector) {
    for (uint32_t i = 0; i < kWords; ++i) at_start_.push_back(Io::pattern(kDiskSeed + sector, i));
  }
  disk_.insert(disk_.end(), at_start_.begin() + static_cast<std::ptrdiff_t>(disk_.size()), at_start_.end());
  size_max_ = ~uint32_t{0};
  configure();
}

void Block::begin() {
  for (const uint32_t sector : dirty_) {
    std::copy_n(at_start_.data() + sector * kWords, kWords, disk_.data() + sector * kWords);
  }
  dirty_.clear();
}

uint64_t Block::features() const {
  return kBlockFlush | kBlockSegMax | kBlockSizeMax | kBlockBlockSize | kBlockDiscard | kBlockWriteZeroes |
         (read_only_ ? kBlockReadOnly : 0) | (queues_ > 1 ? kBlockQueues : 0);
}

// struct virtio_blk_config, 5.2.4.
void Block::configure() {
  config_.fill(0);
  store<uint64_t>(&config_[0], sectors_);  // capacity
  store<uint32_t>(&config_[8], kSectorBytes);  // size_max
  store<uint32_t>(&config_[12], kSegmentsMax);  // seg_max
  store<uint32_t>(&config_[20], kSectorBytes);  // blk_size
  store<uint16_t>(&config_[34], static_cast<uint16_t>(queues_));  // num_queues
  store<uint32_t>(&config_[36], kRangeSectorsMax);  // max_discard_sectors
  store<uint32_t>(&config_[40], kRangesMax);  // max_discard_seg
  store<uint32_t>(&config_[44], 1);  // discard_sector_alignment
  store<uint32_t>(&config_[48], kRangeSectorsMax);  // max_write_zeroes_sectors
  store<uint32_t>(&config_[52], kRangesMax);  // max_write_zeroes_seg
  config_[56] = 1;  // write_zeroes_may_unmap
}

uint64_t Block::config(uint32_t offset, uint32_t bytes) const {
  uint64_t value = 0;
  for (uint32_t i = 0; i < bytes && offset + i < config_.size(); ++i) value |= uint64_t{config_[offset + i]} << (8 * i);
  return value;
}

// 5.2.6: the header first, the status byte last, the data between; where descriptors begin and end is the driver's
// choice (2.7.4.1).
bool Block::split(Io& io, Chain& chain, Header& header) {
  unsigned char bytes[kHeaderBytes];
  uint32_t had = 0;
  data_.clear();
  for (Segment segment : chain.segments) {
    if (segment.length > size_max_) {
      return io.fails(FailureKind::kRingProtocol,
                      "finds a part of " + Text::of(segment.length) + " bytes; size_max is " + Text::of(size_max_),
                      segment.address);
    }
    const uint32_t take = segment.write ? 0 : std::min(kHeaderBytes - had, segment.length);
    if (take != 0) {
      io.touch(segment.address, take, kRead);
      std::memcpy(bytes + had, reinterpret_cast<const void*>(segment.address), take);
      had += take;
      segment.address += take;
      segment.length -= take;
    }
    if (segment.length != 0) data_.push_back(segment);
  }
  if (had < kHeaderBytes || data_.empty() || !data_.back().write) {
    return io.fails(FailureKind::kRingProtocol,
                    had < kHeaderBytes ? "finds a request with a header of " + Text::of(had) + " bytes; it has 16"
                                       : Text("finds a request without a byte for its status"));
  }
  status_ = data_.back();
  status_.address += status_.length - 1;
  status_.length = 1;
  if (--data_.back().length == 0) data_.pop_back();
  header.type = virtio::load<uint32_t>(bytes);
  header.sector = virtio::load<uint64_t>(bytes + 8);
  return true;
}

bool Block::matches(Io& io, const Header& header, const Request& request) {
  const auto wrong = [&](const Text& what) {
    return io.fails(FailureKind::kWrongData, "is asked " + what + " for request " + Text::of(request.id),
                    status_.address, &request);
  };
  if (request.state != Request::State::kAccepted) {
    return io.fails(FailureKind::kRequestCompletedTwice,
                    "is given request " + Text::of(request.id) + " a second time", status_.address, &request);
  }
  if (kind_of(header.type) != request.kind) return wrong(type_name(header.type));
  if (header.sector != request.sector) {
    return wrong("for sector " + Text::of(header.sector) + " and not " + Text::of(request.sector));
  }
  uintptr_t next = request.data;
  for (const Segment& segment : data_) {
    if (segment.address != next || segment.write != request.reads()) {
      return wrong("with other memory than the caller's,");
    }
    next += segment.length;
  }
  if (next != request.data + request.bytes()) {
    return wrong("for " + Text::of(next - request.data) + " bytes and not " + Text::of(request.bytes()));
  }
  const auto* words = reinterpret_cast<const uint64_t*>(request.data);
  for (uint32_t i = 0; request.kind == OperationKind::kWrite && i < request.bytes() / 8; ++i) {
    if (words[i] != Io::pattern(request.id, i)) return wrong("to write other data than the caller's");
  }
  return true;
}

uint8_t Block::perform(const Header& header, const Request& request) {
  if (request.kind == OperationKind::kGetId) {
    std::memcpy(reinterpret_cast<void*>(request.data), kDiskName, kNameBytes);
    return kBlockOk;
  }
  if (header.sector + request.sectors > sectors_) return kBlockIoError;
  uint64_t* disk = disk_.data() + header.sector * kWords;
  auto* data = reinterpret_cast<uint64_t*>(request.data);
  if (request.kind == OperationKind::kRead) {
    std::copy_n(disk, request.sectors * kWords, data);
    return kBlockOk;
  }
  if (read_only_) return kBlockIoError;
  std::copy_n(data, request.sectors * kWords, disk);
  for (uint32_t i = 0; i < request.sectors; ++i) dirty_.push_back(static_cast<uint32_t>(header.sector) + i);
  return kBlockOk;
}

void Block::touch_data(Io& io, const Request& request) const {
  const uint32_t access = request.reads() ? plait::kWrite : kRead;
  for (const Segment& segment : data_) io.touch(segment.address, segment.length, access);
}

// 5.2.6.2: what was returned before is stable, as it always is here.
bool Block::serve_flush(Io& io, Chain& chain) {
  io.meet(Meeting::What::kFlushes, 0, Meeting::How::kWrite);
  Flushes& flushes = io.flushes();
  chain.flush = true;
  if (!data_.empty()) return io.fails(FailureKind::kRingProtocol, "finds a flush with data", data_.front().address);
  if (++flushes.served <= flushes.accepted) return true;
  return io.fails(FailureKind::kRequestCompletedTwice, "is asked to flush more often than callers want it",
                  status_.address);
}

bool Block::serve_data(Io& io, Chain& chain, const Header& header, uint8_t& status) {
  Request* request = data_.empty() ? nullptr : io.request_at(data_.front().address);
  if (!request) {
    return io.fails(FailureKind::kWrongData, "is asked " + type_name(header.type) + ", which no caller wants",
                    status_.address);
  }
  if (!matches(io, header, *request)) return false;
  io.meet(Meeting::What::kRequest, request->id, Meeting::How::kWrite);
  for (uint32_t i = 0; i < request->sectors; ++i) {
    const bool writes = request->kind == OperationKind::kWrite;
    io.meet(Meeting::What::kDisk, header.sector + i, writes ? Meeting::How::kWrite : Meeting::How::kRead);
  }
  touch_data(io, *request);
  status = perform(header, *request);
  served(chain, *request, status);
  return true;
}

void Block::served(Chain& chain, Request& request, uint8_t status) const {
  request.state = Request::State::kServed;
  request.status = status;
  request.data_hash = Io::hash_of(request);
  chain.request = request.id;
  if (request.reads() && status == kBlockOk) chain.written = request.bytes();
}

// What the driver may not do is a failure of its; what a device has to answer for, it answers (5.2.6.1, 5.2.6.2).
bool Block::read_ranges(Io& io, const Header& header) {
  unsigned char bytes[kRangeBytes * kRangesMax];
  uint32_t had = 0;
  const auto wrong = [&](const Text& what) {
    return io.fails(FailureKind::kRingProtocol, "is asked " + type_name(header.type) + what, status_.address);
  };
  for (const Segment& segment : data_) {
    if (segment.write) return wrong(", with a part to write before the status");
    if (segment.length > sizeof bytes - had) return wrong(", in more than " + Text::of(kRangesMax) + " ranges");
    io.touch(segment.address, segment.length, kRead);
    std::memcpy(bytes + had, reinterpret_cast<const void*>(segment.address), segment.length);
    had += segment.length;
  }
  if (had == 0 || had % kRangeBytes != 0) return wrong(", in " + Text::of(had) + " bytes; a range has 16");
  ranges_.clear();
  for (uint32_t at = 0; at < had; at += kRangeBytes) {
    ranges_.push_back(load_range(bytes + at));
    const uint32_t sectors = ranges_.back().sectors;
    if (sectors > kRangeSectorsMax) {
      return wrong(" " + Text::of(sectors) + " sectors in a range; the most are " + Text::of(kRangeSectorsMax));
    }
  }
  return true;
}

uint8_t Block::perform_ranges(uint32_t type, const BlockRange& whole) {
  const bool discards = type == PLAIT_REQUEST_DISCARD;
  for (const BlockRange& range : ranges_) {
    if ((range.flags & ~kUnmap) != 0 || (discards && range.flags != 0)) return kBlockUnsupported;
  }
  if (read_only_ || whole.sector + whole.sectors > sectors_) return kBlockIoError;
  for (uint32_t i = 0; i < whole.sectors; ++i) {
    const auto sector = static_cast<uint32_t>(whole.sector) + i;
    uint64_t* disk = disk_.data() + size_t{sector} * kWords;
    for (uint32_t word = 0; word < kWords; ++word) {
      disk[word] = discards ? Io::pattern(kDiscardedSeed + sector, word) : 0;
    }
    dirty_.push_back(sector);
  }
  return kBlockOk;
}

bool Block::serve_ranges(Io& io, Chain& chain, const Header& header, uint8_t& status) {
  if (!read_ranges(io, header)) return false;
  BlockRange whole{ranges_.front().sector, 0, 0};
  for (const BlockRange& range : ranges_) {
    if (range.sector != whole.sector + whole.sectors) {
      return io.fails(FailureKind::kWrongData,
                      "is asked " + type_name(header.type) + " sector " + Text::of(range.sector) + " after " +
                          Text::of(whole.sectors) + " from " + Text::of(whole.sector),
                      status_.address);
    }
    whole.sectors += range.sectors;
  }
  Request* request = io.request_for(kind_of(header.type), whole.sector, whole.sectors);
  if (!request) {
    return io.fails(FailureKind::kWrongData,
                    "is asked " + type_name(header.type) + " sector " + Text::of(whole.sector) + ", " +
                        Text::of(whole.sectors) + " in all, which no caller wants",
                    status_.address);
  }
  io.meet(Meeting::What::kRequest, request->id, Meeting::How::kWrite);
  for (uint64_t i = 0; i < whole.sectors; ++i) io.meet(Meeting::What::kDisk, whole.sector + i, Meeting::How::kWrite);
  status = perform_ranges(header.type, whole);
  served(chain, *request, status);
  return true;
}

bool Block::serve(Io& io, uint32_t queue, std::span<Chain* const> chains) {
  static_cast<void>(queue);
  Chain& chain = *chains.front();
  Header header;
  if (!split(io, chain, header)) return false;
  uint8_t status = kBlockOk;
  switch (header.type) {
    case PLAIT_REQUEST_READ:
    case PLAIT_REQUEST_WRITE:
    case PLAIT_REQUEST_GET_ID:
      if (!serve_data(io, chain, header, status)) return false;
      break;
    case PLAIT_REQUEST_FLUSH:
      if (!serve_flush(io, chain)) return false;
      break;
    case PLAIT_REQUEST_DISCARD:
    case PLAIT_REQUEST_WRITE_ZEROES:
      if (!serve_ranges(io, chain, header, status)) return false;
      break;
    default: status = kBlockUnsupported;
  }
  io.touch(status_.address, 1, plait::kWrite);
  *reinterpret_cast<uint8_t*>(status_.address) = status;
  ++chain.written;
  const int64_t which = chain.request == Chain::kNoRequest ? -1 : int64_t{chain.request};
  io.note(EventKind::kDeviceServe, status_.address, 1, status, which);
  return true;
}

}  // namespace plait::virtio
