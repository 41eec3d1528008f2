// SPDX-License-Identifier: Apache-2.0
//
// What happens in an execution: the machine's size and the programs of tasks and interrupt lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace plait {

enum class OperationKind : uint8_t {
  kAlloc,
  kFree,
  kDoubleFree,
  kForeignFree,
  kInteriorFree,
  // of a driver
  kRead,
  kWrite,
  kFlush,
  kSend,     // a packet
  kReceive,  // one comes in
  kDiscard,
  kWriteZeroes,
  kGetId,
};
constexpr bool is_packet(OperationKind kind) { return kind == OperationKind::kSend || kind == OperationKind::kReceive; }
constexpr bool is_request(OperationKind kind) { return kind >= OperationKind::kRead; }
// Whether a request says which sectors of a disk it means.
constexpr bool has_sectors(OperationKind kind) {
  return is_request(kind) && !is_packet(kind) && kind != OperationKind::kFlush && kind != OperationKind::kGetId;
}

// A slot holds at most one object. alloc into a slot that is not empty, and free of one that holds nothing, are
// skipped: so every list of operations means something, whatever was cut out of it.
struct Operation {
  OperationKind kind = OperationKind::kAlloc;
  uint8_t slot = 0;
  uint32_t size = 0;    // bytes; of an alloc, or of a packet
  uint32_t sector = 0;  // of a read or write: the first one
  uint32_t sectors = 0; // and how many
  bool operator==(const Operation&) const = default;
};

struct TaskSpec {
  CpuId cpu{};
  bool pinned = false;
  std::vector<Operation> operations;
  bool operator==(const TaskSpec&) const = default;
};

struct LineSpec {
  static constexpr int kAnyCpu = -1;
  int cpu = kAnyCpu;
  static constexpr int kNoVector = -1;
  uint32_t fires = 1;  // how often it may fire of itself
  std::vector<Operation> operations;
  int vector = kNoVector;  // of the device: the driver's handler
  bool operator==(const LineSpec&) const = default;
};

enum class DeviceKind : uint8_t { kNone, kBlock, kNet };
constexpr size_t kDeviceKinds = 3;  // with none

// The device below a driver, and which CPU each of its vectors goes to. Its lines follow those of the scenario.
struct DeviceSpec {
  static constexpr uint32_t kQueueSizeMax = 256;
  static constexpr uint32_t kSectorsMax = 1024;
  static constexpr uint32_t kRequestSectorsMax = 4;
  static constexpr uint32_t kMtuMin = 68;  // bytes; virtio 1.3, 5.1.4
  static constexpr uint32_t kMtuMax = 1500;
  static constexpr uint32_t kEthernetBytes = 14;  // in front of what the MTU counts; the shortest packet
  DeviceKind kind = DeviceKind::kNone;
  uint32_t queue_size = 8;
  uint32_t sectors = 16;     // of the disk
  bool read_only = false;
  bool indirect = true;      // offered
  bool event_index = false;  // offered
  bool packed = false;       // offered
  bool suppression = true;   // the device asks not to be notified while it is at work
  bool mergeable = false;    // offered by a network device: a packet may take several buffers
  uint32_t mtu = kMtuMin;    // bytes; of a network device
  std::vector<int> vectors;  // CPU of each queue's vector, or kAnyCpu; as many as queues
  bool operator==(const DeviceSpec&) const = default;
};

struct Scenario {
  uint32_t cpus = 1;
  uint32_t page_size = 512;  // bytes
  uint32_t pages = 64;       // that the supply has
  std::vector<uint64_t> knobs;  // values, in the order of the target's declaration
  std::vector<TaskSpec> tasks;
  std::vector<LineSpec> lines;  // the device's own last
  DeviceSpec device;
  bool operator==(const Scenario&) const = default;
};

}  // namespace plait
