// SPDX-License-Identifier: Apache-2.0
//
// What bytes mean where there is a device: four of the header for it, a record a request, and its moves. Packets are as
// long as the shortest MTU allows.
#include <algorithm>
#include <array>

#include "search/bytes.h"

namespace plait {
namespace {

// The first of each are the usual ones. What is drawn and what failures shrink to is among them.
constexpr std::array<uint32_t, 8> kSectors = {16, 8, 32, 64, 128, 256, 512, 1024};
constexpr std::array<OperationKind, 6> kRequests = {OperationKind::kWrite,   OperationKind::kRead,        OperationKind::kFlush,
                                                    OperationKind::kDiscard, OperationKind::kWriteZeroes, OperationKind::kGetId};
constexpr uint32_t kQueuesShift = 6;
constexpr uint32_t kSizes = 1u << kQueuesShift;
constexpr uint32_t kLargeSizes = 5;  // of a queue: 16 to 256 entries
constexpr uint32_t kSmallSizes = 4;  // 1 to 8
constexpr uint32_t kUsualSizeBits = 2;
constexpr uint32_t kHeaderAndStatus = 2;  // descriptors
constexpr uint32_t kChoices = 19;         // go on, the next chain, look, one of 16 chains
constexpr uint32_t kVectorBits = 4;       // of each queue; two a byte

constexpr uint32_t kNetQueues = 2;

// kOwn: of a disk, that it is read only; of a network device, that it offers to merge buffers.
enum Feature : uint8_t { kDirect = 1, kEventIndex = 2, kSuppression = 4, kPacked = 8, kOwn = 16 };
constexpr uint32_t kSectorsShift = 5;

uint8_t narrow(uint64_t value) { return static_cast<uint8_t>(value); }

// Of a request with data: without indirect tables its chain has to fit.
uint32_t longest_request(const DeviceSpec& device) {
  const uint32_t room = device.indirect ? DeviceSpec::kRequestSectorsMax : device.queue_size - kHeaderAndStatus;
  return std::min(DeviceSpec::kRequestSectorsMax, room);
}

// Large queues are rare, as where scenarios are drawn: they take as long to bring up as many requests, and are never full.
uint32_t size_bits(uint32_t number) {
  const uint32_t large = number - kSizes / 2;  // not at an end: libFuzzer likes bytes that are 0 or 255
  return large < kLargeSizes ? kSmallSizes + large : (number + kUsualSizeBits) % kSmallSizes;
}

int vector_cpu(uint32_t bits, uint32_t queue, uint32_t cpus) {
  const uint32_t value = bits % (cpus + 1);
  return value == cpus ? LineSpec::kAnyCpu : static_cast<int>((queue + value) % cpus);
}

uint8_t choice_of(uint32_t number) {
  switch (number) {
    case 0: return 0;
    case 1: return 255;
    case 2: return 254;
    default: return narrow(number - 2);
  }
}

}  // namespace

void ByteCodec::device_header(std::span<const uint8_t> bytes, Scenario& scenario) const {
  const auto at = [&](uint32_t index) {
    return device_at_ + index < bytes.size() ? bytes[device_at_ + index] : uint8_t{0};
  };
  DeviceSpec& device = scenario.device;
  const uint8_t features = at(1);
  device.kind = environment_.device;
  device.indirect = !(features & kDirect);
  device.event_index = features & kEventIndex;
  device.suppression = features & kSuppression;
  device.packed = features & kPacked;
  const bool net = device.kind == DeviceKind::kNet;
  device.read_only = !net && (features & kOwn);
  device.mergeable = net && (features & kOwn);
  device.sectors = kSectors[features >> kSectorsShift];
  const uint32_t size = size_bits(at(0) % kSizes);
  device.queue_size = 1u << (device.indirect ? size : std::max(size, 1u));
  const uint32_t queues = net ? kNetQueues : 1 + (at(0) >> kQueuesShift) % std::min(kDevicesMax, kLinesMax - environment_.interrupts.max);
  device.vectors.resize(queues);
  const size_t own = scenario.lines.size();
  scenario.lines.resize(own + queues);
  for (uint32_t i = 0; i < queues; ++i) {
    device.vectors[i] = vector_cpu(at(2 + i / 2) >> (i % 2 * kVectorBits) & 0xfu, i, scenario.cpus);
    LineSpec& line = scenario.lines[own + i];
    line.cpu = device.vectors[i];
    line.fires = 0;
    line.vector = static_cast<int>(i);
    line.operations.clear();
  }
}

// Kind, sector and sectors; or kind and size. What is too long for the queue is cut, and becomes a flush where not even one sector fits.
Operation ByteCodec::request(const Record& record, const DeviceSpec& device) const {
  Operation operation;
  if (device.kind == DeviceKind::kNet) {
    operation.kind = record.a % 2 ? OperationKind::kReceive : OperationKind::kSend;
    operation.size = DeviceSpec::kEthernetBytes + record.b % (device.mtu + 1);
    return operation;
  }
  const uint32_t longest = longest_request(device);
  operation.kind = longest == 0 ? OperationKind::kFlush : kRequests[record.a % kRequests.size()];
  if (!has_sectors(operation.kind)) return operation;
  operation.sector = (record.b | (record.c >> 2 & 3u) << 8) % device.sectors;
  operation.sectors = std::min(1 + (record.c & 3u), longest);
  return operation;
}

Move ByteCodec::device_move(uint32_t number, const DeviceSpec& device) {
  const auto queues = static_cast<uint32_t>(device.vectors.size());
  Move move;
  move.kind = MoveKind::kDevice;
  move.number = narrow(number % queues);
  move.choice = choice_of(number / queues % kChoices);
  return move;
}

void ByteCodec::put_device(const Scenario& scenario, std::vector<uint8_t>& bytes) const {
  const DeviceSpec& device = scenario.device;
  uint32_t size = 0;
  while (size + 1 < kSizes && 1u << size_bits(size) != device.queue_size) ++size;
  bytes[device_at_] = narrow(size | (device.vectors.size() - 1) << kQueuesShift);
  const auto found = std::find(kSectors.begin(), kSectors.end(), device.sectors);
  const auto sectors = static_cast<uint32_t>(found - kSectors.begin()) % kSectors.size();
  bytes[device_at_ + 1] = narrow((device.indirect ? 0 : kDirect) | (device.event_index ? kEventIndex : 0) |
                                 (device.suppression ? kSuppression : 0) | (device.packed ? kPacked : 0) |
                                 (device.read_only || device.mergeable ? kOwn : 0) | sectors << kSectorsShift);
  for (uint32_t i = 0; i < device.vectors.size() && i < kDevicesMax; ++i) {
    uint32_t bits = 0;
    while (bits < scenario.cpus && vector_cpu(bits, i, scenario.cpus) != device.vectors[i]) ++bits;
    bytes[device_at_ + 2 + i / 2] |= narrow(bits << (i % 2 * kVectorBits));
  }
}

void ByteCodec::put_request(uint32_t task, const Operation& operation, std::vector<uint8_t>& bytes) const {
  if (is_packet(operation.kind)) {
    const auto receives = static_cast<uint8_t>(operation.kind == OperationKind::kReceive);
    bytes.insert(bytes.end(), {narrow(task << 2 | kAsks), receives, narrow(operation.size - DeviceSpec::kEthernetBytes), 0});
    return;
  }
  const auto found = std::find(kRequests.begin(), kRequests.end(), operation.kind);
  const auto kind = static_cast<uint8_t>(found - kRequests.begin());
  const uint32_t length = operation.sectors == 0 ? 0 : operation.sectors - 1;
  bytes.insert(bytes.end(), {narrow(task << 2 | kAsks), kind, narrow(operation.sector), narrow(length | operation.sector >> 8 << 2)});
}

}  // namespace plait
