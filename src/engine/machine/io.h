// SPDX-License-Identifier: Apache-2.0
//
// The request path: scenario operations that go through a driver, the driver's way to the allocator under test and to
// the device's registers, and what the device is allowed to touch. Follows each request from the call to its completion
// and judges what driver and device make of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/text.h"
#include "base/types.h"
#include "check/objects.h"
#include "machine/device.h"
#include "machine/scenario.h"
#include "plait/driver.h"
#include "task/context.h"
#include "trace/event.h"

namespace plait {

constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kNameBytes = 20;  // of a disk: VIRTIO_BLK_ID_BYTES

// One operation on its way. The machine's caller owns the data.
struct Request {
  enum class State : uint8_t {
    kAccepted,   // the driver has it
    kServed,     // the device has done it
    kPublished,  // and said so on the used ring
    kDone,       // the driver has told its caller
    kRefused,
  };
  uint32_t id = 0;
  OperationKind kind = OperationKind::kRead;
  State state = State::kAccepted;
  uint8_t status = 0;      // as the device reported it
  uint32_t sector = 0;
  uint32_t sectors = 0;
  uint32_t size = 0;       // bytes, of a packet
  uintptr_t data = 0;      // of the caller; 0: there is none
  uint64_t data_hash = 0;  // of what the device left there
  ContextId by;
  // Of its data. Of a discard and the like, of what the range means: there is no data.
  uint32_t bytes() const {
    return is_packet(kind) ? size : kind == OperationKind::kGetId ? kNameBytes : sectors * kSectorBytes;
  }
  bool over() const { return state == State::kDone || state == State::kRefused; }
  bool has_data() const { return data != 0; }
  bool reads() const { return kind == OperationKind::kRead || kind == OperationKind::kGetId; }
  bool is_range() const { return kind == OperationKind::kDiscard || kind == OperationKind::kWriteZeroes; }
  bool same_range(const Request& other) const {
    return kind == other.kind && sector == other.sector && sectors == other.sectors;
  }
};

// Requests without data cannot be told apart by a device. It served, and returned, so many of them.
struct Flushes {
  uint32_t accepted = 0;
  uint32_t served = 0;
  uint32_t published = 0;
  uint32_t done = 0;
};

// What a device says a part of a chain is.
struct Segment {
  uintptr_t address = 0;
  uint32_t length = 0;
  bool write = false;
  uint64_t life = 0;    // of the object that it lay in when it was fetched; 0: in no object
  uint32_t object = 0;  // then, which
};

// What a step meets beside memory, and how. kGive makes a step of somebody else possible that was not, kTake is one that
// had to be made possible: it could have come before any kWrite since, but not before the kGive.
struct Meeting {
  enum class What : uint8_t { kMemory, kKick, kLine, kReturned, kChain, kDescriptor, kRequest, kFlushes, kDisk, kArrivals };
  enum class How : uint8_t { kRead, kWrite, kGive, kTake };
  What what = What::kMemory;
  How how = How::kRead;
  uint64_t number = 0;  // an address; or which, of its device
  uint64_t size = 0;    // bytes, of memory
};

class Io {
 public:
  explicit Io(Machine& machine) : machine_(machine) {}

  void set_peripheral(DeviceKind kind, Peripheral* peripheral) { known_[static_cast<size_t>(kind)] = peripheral; }
  const Peripheral& peripheral() const { return *peripheral_; }
  bool has_arrived() const { return used() && peripheral_->has_arrived(); }
  bool used() const { return driver_ != nullptr && peripheral_ != nullptr; }

  // ---- between executions
  std::span<Device* const> load(const Scenario& scenario, const plait_driver* driver);
  void probe();     // on the boot fiber
  void snapshot();  // after it
  void begin();

  // ---- on the fiber of the running context
  void run_request(const Operation& operation);
  void run_handler(uint32_t vector);
  void* alloc(size_t size, uintptr_t pc);
  void free(void* object, uintptr_t pc);
  void done(uint64_t id, uint32_t status, uintptr_t pc);
  void received(std::span<const plait_part> parts, uintptr_t pc);
  uint64_t read(uint32_t offset, uint32_t bytes, uintptr_t pc);
  void write(uint32_t offset, uint64_t value, uint32_t bytes, uintptr_t pc);
  void* dma_alloc(size_t size, size_t alignment, uintptr_t pc);
  void report_descriptors(uint32_t queue, uint32_t free, uintptr_t pc);
  void report_kept(const void* object, uintptr_t pc);

  // ---- for devices; `false`: the execution has failed, and the device must stop
  std::vector<Request>& requests() { return requests_; }
  Flushes& flushes() { return flushes_; }
  Request* request_at(uintptr_t address);  // whose data lie there
  // Without data: the first that is not served, of this kind and for this range.
  Request* request_for(OperationKind kind, uint64_t sector, uint64_t sectors);
  bool may_touch(Segment& segment);        // notes the life when it was not noted yet
  void touch(uintptr_t address, size_t size, uint32_t access);  // order checks and the undo log, before it is done
  bool fails(FailureKind kind, const Text& message, uintptr_t address = 0, const Request* request = nullptr);
  void note(EventKind kind, uintptr_t address, size_t size, uint64_t value, int64_t arg);
  void published(uint32_t request);  // one that was served is returned
  void raise(uint32_t vector);
  void heard(uint32_t queue);    // the device learnt of a kick, and all that came before it
  void entered(uint32_t line);   // the same of a handler and a raised line
  static uint64_t hash_of(const Request& request);
  // From now on devices' steps are written down there; null: no longer.
  void set_meetings(std::vector<Meeting>* meetings) { meetings_ = meetings; }
  void meet(Meeting::What what, uint64_t number, Meeting::How how, uint64_t size = 0) {
    if (meetings_) [[unlikely]] meetings_->push_back({what, how, number, size});
  }

  // ---- for whoever looks on between executions
  std::span<Device* const> queues() const { return used() ? peripheral_->queues() : std::span<Device* const>{}; }
  bool raised(uint32_t line) const;  // by the device, and has not fired since

  // ---- at quiescence, on the boot fiber
  bool something_to_judge() const { return used() && !requests_.empty(); }
  void judge_requests();
  void judge_driver();

  static uint64_t pattern(uint64_t seed, uint32_t word);
  static uint8_t packet_byte(uint64_t id, uint32_t at);  // its number first, then its pattern
  static uint64_t packet_id(const uint8_t* bytes);       // of at least kEthernetBytes

  // Under these the order checks know a raised line and a kicked queue; no lock lies there.
  static constexpr uintptr_t kLineKey = 1;
  static constexpr uintptr_t kKickKey = 64;

 private:
  class InAllocator;
  void set_driver(bool on);
  Request& open(const Operation& operation);
  void fill(Request& request);
  void finish(Request& request, uint32_t status, uintptr_t pc);
  void close(Request& request, Request::State state);
  bool takes(OperationKind kind) const;  // the driver
  bool returned(const Request& request) const;  // by the device, and not told to the caller yet
  void exchange(Request& request);  // with one that asks for the same and was returned, if it was not
  [[noreturn]] void die_of(FailureKind kind, const Text& message, uintptr_t pc, uintptr_t address, const Request& request);
  Text described(const Request& request) const;

  Machine& machine_;
  std::array<Peripheral*, kDeviceKinds> known_{};
  Peripheral* peripheral_ = nullptr;  // of the scenario
  const plait_driver* driver_ = nullptr;
  uint32_t own_lines_ = 0;  // of the scenario; the device's follow
  std::vector<Meeting>* meetings_ = nullptr;
  std::vector<Request> requests_;
  Flushes flushes_;
  bool refused_ = false;  // an allocation, in this execution
  std::vector<Object> probed_;  // objects that the driver took in its probe
  std::vector<uintptr_t> kept_;
  std::array<uint32_t, kDevicesMax> descriptors_{};  // reported free; plus 1
};

}  // namespace plait
