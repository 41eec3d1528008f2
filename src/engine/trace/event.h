// SPDX-License-Identifier: Apache-2.0
//
// What happened in an execution, one event a visible operation or move. Order and names are part of the trace format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plait {

enum class EventKind : uint8_t {
  kCallAlloc, kReturnAlloc, kCallFree, kReturnFree, kSkip,
  kRead, kWrite, kRmw, kAtomicRead, kAtomicWrite, kAtomicRmw, kMarkedRead, kMarkedWrite, kFence,
  kIrqSave, kIrqRestore, kIrqOff, kIrqOn, kPreemptDisable, kPreemptEnable, kCpuId,
  kSpinLock, kSpinTrylock, kSpinUnlock, kMutexLock, kMutexTrylock, kMutexUnlock,
  kWait, kWaitPrepare, kWaitCommit, kWaitCancel, kWake, kWoken,
  kSemDown, kSemTrydown, kSemUp, kMightSleep, kPageAlloc, kPageFree, kRelax,
  // the request path: the driver's side, then the device's
  kCallRead, kCallWrite, kCallFlush, kReturnRequest, kIoRead, kIoWrite, kKick, kRequestDone,
  kDeviceLook, kDeviceArm, kDeviceFetch, kDeviceServe, kDevicePublish, kDeviceNotify,
  // moves: not steps
  kInterrupt, kInterruptReturn, kPreempt, kMigrate, kSwitch, kFinish,
  kCallSend, kCallReceive, kDeviceSend, kDeviceReceive,  // of packets; last, as traces hold numbers
  kCallDiscard, kCallWriteZeroes, kCallGetId,            // and of disks
  kCount,
};
std::string_view name(EventKind kind);

constexpr bool is_access(EventKind kind) { return kind >= EventKind::kRead && kind <= EventKind::kMarkedWrite; }

// Addresses and values that mean a place are encoded so that they are equal in every process: 0 plain number,
// 1 simulated memory, 2 the target's module, 3 a context's stack; in the top byte, the offset below.
constexpr uint32_t kTagShift = 56;
enum AddressTag : uint64_t { kPlain = 0, kArena = 1, kModule = 2, kStack = 3 };

struct Event {
  EventKind kind{};
  bool has_value = false;
  bool has_arg = false;
  int16_t context = -1;  // index into the machine's context table; -1: the machine
  uint8_t cpu = 0;
  uint32_t size = 0;     // bytes
  uint64_t address = 0;  // encoded
  uint64_t value = 0;    // encoded
  uint64_t pc = 0;       // module-relative return address; 0: none
  int64_t arg = 0;
};

}  // namespace plait
