// SPDX-License-Identifier: Apache-2.0
//
// The words of the engine: identifiers, moves, deviations, kinds of failure. Each enum is a closed set; the names
// beside them (names.cc) are the spelling in JSON files and reports and never change once released.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>

namespace plait {

constexpr uint32_t kCpusMax = 8;
constexpr uint32_t kTasksMax = 16;
constexpr uint32_t kLinesMax = 8;
constexpr uint32_t kDevicesMax = 4;  // queues of a device: each takes steps of its own

enum class CpuId : uint8_t {};
constexpr uint32_t index(CpuId cpu) { return static_cast<uint32_t>(cpu); }

enum class ContextKind : uint8_t { kStart, kTask, kWorker, kIrq, kDevice };

// Who takes steps. `activation` tells apart the handler runs of one line; it is 0 for all others. kStart is
// the moment before anybody ran, so that a deviation can be anchored there.
struct ContextId {
  ContextKind kind = ContextKind::kStart;
  uint8_t number = 0;
  uint16_t activation = 0;
  auto operator<=>(const ContextId&) const = default;
};

enum class MoveKind : uint8_t { kGo, kInterrupt, kPreempt, kMigrate, kDevice };

// One choice. kGo: cpu. kInterrupt: cpu, number = line. kPreempt: cpu, who. kMigrate: who, cpu. kDevice: number,
// choice.
struct Move {
  MoveKind kind = MoveKind::kGo;
  CpuId cpu{};
  uint8_t number = 0;
  uint8_t choice = 0;  // of what a device may do; 0: what it does next by itself
  ContextId who{};
  // No padding: compared as one word.
  bool operator==(const Move& other) const { return std::bit_cast<uint64_t>(*this) == std::bit_cast<uint64_t>(other); }
};
static_assert(sizeof(Move) == 8);

// A move that was not the default, anchored to a context and to how many visible operations it had done.
struct Deviation {
  ContextId anchor;
  uint32_t after = 0;
  Move move;
  bool operator==(const Deviation&) const = default;
};

enum class VerdictKind : uint8_t { kPassed, kFailed, kGaveUp, kNotDeterministic };
enum class GiveUp : uint8_t {
  kStepLimit,
  kMemory,   // the supply could not even bring the target to its first state
  kTime,
  kWaiting,  // somebody sleeps, and only an interrupt that the schedule did not deliver could have woken it
};

enum class FailureKind : uint8_t {
  // heap
  kDoubleAllocation,
  kMisalignedObject,
  kOutOfRangeObject,
  kLostObject,
  kDuplicateFreeObject,  // one object in two free places
  kDoubleFreeAccepted,
  kForeignPointerAccepted,
  kLiveObjectOverwritten,
  kWrongCpuPool,
  kAllocationRefused,
  kFreeRefused,  // a correct free was answered with a refusal
  kUnboundedDeferral,
  kPageLeak,
  // memory
  kNullDereference,
  kUnmappedAccess,
  kUseAfterFree,
  kReadOnlyWrite,
  kStackOverflow,
  kWildJump,
  kBadPageReturn,
  kCrash,
  // order
  kDataRace,
  kInterruptRace,
  kPreemptionRace,
  // context
  kSleepInAtomic,
  kUnbalancedUnlock,
  kInterruptsNotRestored,
  kPreemptionNotRestored,
  kLockHeldOnReturn,
  kPerCpuAfterMigration,
  // progress
  kDeadlock,
  kSelfDeadlock,
  kLivelock,
  kLostWakeup,
  kLockOrderInversion,
  // target
  kAssertion,
  kInvariant,
  kAbort,
  kException,
  kNonlocalExit,
  // device, and the driver above it
  kRequestCompletedTwice,
  kRequestCompletedEarly,
  kRequestNeverCompleted,
  kWrongData,
  kRingProtocol,
  kForeignDma,
  kLostNotification,
  kDescriptorLeak,
  kBadFree,
  kObjectLeak,
  kCount,
};

constexpr bool is_race(FailureKind kind) {
  return kind == FailureKind::kDataRace || kind == FailureKind::kInterruptRace || kind == FailureKind::kPreemptionRace ||
         kind == FailureKind::kPerCpuAfterMigration;
}
// Nothing went wrong in the execution itself; another one may show what can.
constexpr bool is_warning(FailureKind kind) { return is_race(kind) || kind == FailureKind::kLockOrderInversion; }

}  // namespace plait
