// SPDX-License-Identifier: Apache-2.0
//
// Bytes that stand for a scenario and a schedule, for fuzzers that know nothing but bytes. Every byte string means
// something that the target can run in the environment, and a byte changed changes one thing: a header of fixed length
// (machine, knobs, sizes, where contexts are), then records of four bytes, each an operation or a deviation of its own.
// Small numbers are the usual ones, and what is missing is 0: so the empty string is the smallest scenario.
//
// Not a format to keep things in: what bytes mean depends on the target's declaration. Failure files are for that.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "machine/scenario.h"
#include "search/generate.h"

namespace plait {

class ByteCodec {
 public:
  static constexpr size_t kRecordBytes = 4;
  static constexpr size_t kRecordsMax = 400;

  // `workers`: how many tasks of its own the target starts; deviations may be anchored to so many.
  ByteCodec(const plait_target& target, const Environment& environment, Preset preset, uint32_t workers);

  // Into what is there, so that a fuzzer allocates nothing.
  void decode(std::span<const uint8_t> bytes, Scenario& scenario, std::vector<Deviation>& schedule) const;
  // Bytes that mean this; none: it lies outside of what bytes can mean (another environment, very late deviations).
  std::optional<std::vector<uint8_t>> encode(const Scenario& scenario, const std::vector<Deviation>& schedule) const;
  size_t header_bytes() const { return header_bytes_; }

 private:
  struct Record {
    uint8_t tag, a, b, c;
  };
  // Low bits of a record's tag. kAsks: a request where there is a device, elsewhere as kDeviates.
  enum Tag : uint8_t { kAllocates = 0, kFrees = 1, kDeviates = 2, kAsks = 3 };
  static constexpr size_t kDeviceBytes = 4;  // of the header

  void header(std::span<const uint8_t> bytes, Scenario& scenario) const;
  void add_operation(const Record& record, std::span<const uint8_t> bytes, Scenario& scenario) const;
  void settle_frees(Scenario& scenario) const;
  OperationKind free_kind(uint8_t byte) const;
  uint32_t size(uint8_t byte) const;
  uint64_t knob(uint32_t number, uint8_t byte) const;
  ContextId anchor(uint32_t index, const Scenario& scenario) const;
  static uint32_t home(ContextId id, const Scenario& scenario);
  Move move(uint32_t number, ContextId anchor, const Scenario& scenario) const;
  Deviation deviation(const Record& record, const Scenario& scenario) const;
  bool has_device() const { return environment_.device != DeviceKind::kNone; }
  // Lines that the scenario has of its own: those of a device are the last.
  static uint32_t own_lines(const Scenario& scenario) {
    return static_cast<uint32_t>(scenario.lines.size() - scenario.device.vectors.size());
  }

  bool put_header(const Scenario& scenario, std::vector<uint8_t>& bytes) const;
  void put_operations(const Scenario& scenario, std::vector<uint8_t>& bytes) const;
  // bytes_device.cc
  void device_header(std::span<const uint8_t> bytes, Scenario& scenario) const;
  Operation request(const Record& record, const DeviceSpec& device) const;
  static Move device_move(uint32_t number, const DeviceSpec& device);
  void put_device(const Scenario& scenario, std::vector<uint8_t>& bytes) const;
  void put_request(uint32_t task, const Operation& operation, std::vector<uint8_t>& bytes) const;

  bool put_deviation(const Deviation& deviation, const Scenario& scenario, std::vector<uint8_t>& bytes) const;

  const plait_target& target_;
  Environment environment_;
  Preset preset_;
  uint32_t workers_;
  uint32_t knobs_ = 0;
  std::vector<uint32_t> sizes_;  // size classes, or powers of two, and the smallest and the largest
  std::vector<MoveKind> kinds_;  // those that the environment has
  size_t device_at_ = 0;         // in the header
  size_t header_bytes_ = 0;
};

}  // namespace plait
