// SPDX-License-Identifier: Apache-2.0
//
// A virtio device as a driver finds it on PCI: the registers of the common configuration (virtio 1.3, 4.1.4.3), the
// handshake of the status (3.1), the features, queues with an MSI-X vector each. What kind of device it is, is the
// backend's.
#pragma once

#include <array>
#include <cstdint>

#include "devices/chain.h"
#include "devices/virtqueue.h"
#include "machine/device.h"

namespace plait::virtio {

constexpr uint32_t kStatusAcknowledge = 1;
constexpr uint32_t kStatusDriver = 2;
constexpr uint32_t kStatusDriverOk = 4;
constexpr uint32_t kStatusFeaturesOk = 8;
constexpr uint32_t kStatusFailed = 128;

constexpr uint64_t kFeatureIndirect = feature(28);
constexpr uint64_t kFeatureEventIndex = feature(29);
constexpr uint64_t kFeatureVersion1 = feature(32);
constexpr uint64_t kFeaturePacked = feature(34);

class Pci final : public Peripheral {
 public:
  explicit Pci(Backend& backend);
  void load(const DeviceSpec& spec) override;
  void snapshot() override;
  void begin() override { backend_.begin(); }
  std::span<Device* const> queues() override { return {devices_.data(), count_}; }
  uint64_t read(uint32_t offset, uint32_t bytes) override;
  const char* write(uint32_t offset, uint64_t value, uint32_t bytes) override;
  bool takes(const Operation& operation) const override { return backend_.takes(operation); }
  void arrive(uint32_t request, uint32_t bytes) override { backend_.arrive(request, bytes); }
  bool has_arrived() const override { return backend_.has_arrived(); }
  bool is_kick(uint32_t offset) const override;
  bool has_unseen() const override;
  RingPlace ring(uint32_t queue) const override {
    const QueueSetup& setup = queue_[queue].setup();
    return {setup.size, setup.table, setup.available, setup.used, setup.packed};
  }

 private:
  void reset();
  const char* write_status(uint32_t value);
  const char* write_queue(uint32_t offset, uint64_t value);
  uint64_t read_queue(uint32_t offset);

  DeviceSpec spec_;
  Backend& backend_;
  std::array<Virtqueue, kDevicesMax> queue_;
  std::array<Device*, kDevicesMax> devices_{};
  uint32_t count_ = 0;
  uint64_t offered_ = 0;
  uint64_t accepted_ = 0;
  uint32_t offered_select_ = 0;
  uint32_t accepted_select_ = 0;
  uint32_t queue_select_ = 0;
  uint16_t config_vector_ = QueueSetup::kNoVector;
  uint8_t status_ = 0;
  bool resetting_ = false;  // the driver asked for it; done when it has read the status once
};

}  // namespace plait::virtio
