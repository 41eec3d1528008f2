// SPDX-License-Identifier: Apache-2.0
#include "devices/pci.h"

#include "plait/driver.h"

namespace plait::virtio {
namespace {

// The common configuration, 4.1.4.3.
enum Register : uint32_t {
  kDeviceFeatureSelect = 0x00,
  kDeviceFeature = 0x04,
  kDriverFeatureSelect = 0x08,
  kDriverFeature = 0x0c,
  kConfigVector = 0x10,
  kQueues = 0x12,
  kStatus = 0x14,
  kQueueSelect = 0x16,
  kQueueSize = 0x18,
  kQueueVector = 0x1a,
  kQueueEnable = 0x1c,
  kQueueNotifyOffset = 0x1e,
  kQueueTable = 0x20,
  kQueueAvailable = 0x28,
  kQueueUsed = 0x30,
  kQueueEnd = 0x38,
};

constexpr uint32_t kNotifyStride = 2;  // notify_off_multiplier

uint64_t half(uint64_t features, uint32_t select) { return select < 2 ? features >> (32 * select) & 0xffffffffu : 0; }

}  // namespace

Pci::Pci(Backend& backend)
    : backend_(backend), queue_{{Virtqueue{backend}, Virtqueue{backend}, Virtqueue{backend}, Virtqueue{backend}}} {
  for (uint32_t i = 0; i < kDevicesMax; ++i) {
    devices_[i] = &queue_[i];
    queue_[i].setup().number = static_cast<uint16_t>(i);
  }
}

void Pci::load(const DeviceSpec& spec) {
  spec_ = spec;
  count_ = static_cast<uint32_t>(spec.vectors.size());
  backend_.load(spec);
  offered_ = kFeatureVersion1 | backend_.features();
  if (spec.indirect) offered_ |= kFeatureIndirect;
  if (spec.event_index) offered_ |= kFeatureEventIndex;
  if (spec.packed) offered_ |= kFeaturePacked;
  reset();
}

void Pci::reset() {
  accepted_ = 0;
  offered_select_ = accepted_select_ = queue_select_ = 0;
  config_vector_ = QueueSetup::kNoVector;
  status_ = 0;
  resetting_ = false;
  for (Virtqueue& queue : queue_) {
    queue.reset();
    queue.setup().size = static_cast<uint16_t>(spec_.queue_size);
  }
}

void Pci::snapshot() {
  for (Virtqueue& queue : queue_) queue.snapshot();
}

bool Pci::has_unseen() const {
  for (uint32_t i = 0; i < count_; ++i) {
    if (queue_[i].has_unseen()) return true;
  }
  return false;
}

bool Pci::is_kick(uint32_t offset) const { return offset >= PLAIT_IO_NOTIFY && offset < PLAIT_IO_DEVICE; }

// ---- what the driver reads

uint64_t Pci::read_queue(uint32_t offset) {
  if (queue_select_ >= count_) return 0;  // 4.1.4.3.1: size 0 means that there is no such queue
  const QueueSetup& setup = queue_[queue_select_].setup();
  switch (offset) {
    case kQueueSize: return setup.size;
    case kQueueVector: return setup.vector;
    case kQueueEnable: return setup.enabled;
    case kQueueNotifyOffset: return queue_select_;
    case kQueueTable: return setup.table;
    case kQueueAvailable: return setup.available;
    case kQueueUsed: return setup.used;
    default: return 0;
  }
}

uint64_t Pci::read(uint32_t offset, uint32_t bytes) {
  if (offset >= PLAIT_IO_DEVICE) return backend_.config(offset - PLAIT_IO_DEVICE, bytes);
  switch (offset) {
    case kDeviceFeatureSelect: return offered_select_;
    case kDeviceFeature: return half(offered_, offered_select_);
    case kDriverFeatureSelect: return accepted_select_;
    case kDriverFeature: return half(accepted_, accepted_select_);
    case kConfigVector: return config_vector_;
    case kQueues: return count_;
    case kQueueSelect: return queue_select_;
    case kStatus: {
      const uint8_t status = status_;
      if (resetting_) reset();  // it takes a while: whoever polls sees that
      return status;
    }
    default: return read_queue(offset);
  }
}

// ---- what it writes

const char* Pci::write_status(uint32_t value) {
  if (value == 0) {  // 2.4.1
    resetting_ = true;
    return nullptr;
  }
  if (resetting_) return "goes on before the device has been reset (status has to read 0 first)";
  if (status_ & ~value) return "takes bits of the status back other than by a reset";
  if ((value & kStatusDriver) && !(value & kStatusAcknowledge)) return "sets DRIVER before ACKNOWLEDGE";
  if (value & kStatusFeaturesOk & ~status_) {
    if (!(value & kStatusDriver)) return "sets FEATURES_OK before DRIVER";
    const bool good = (accepted_ & ~offered_) == 0 && (accepted_ & kFeatureVersion1) != 0;
    if (!good) value &= ~kStatusFeaturesOk;  // 2.2: the driver reads back that they were not taken
  }
  if (value & kStatusDriverOk & ~status_) {
    if (!(value & kStatusFeaturesOk)) return "sets DRIVER_OK although the features were not agreed upon";
    backend_.agree(accepted_);
    for (uint32_t i = 0; i < count_; ++i) {
      QueueSetup& setup = queue_[i].setup();
      setup.running = true;
      setup.packed = (accepted_ & kFeaturePacked) != 0;
      setup.indirect = (accepted_ & kFeatureIndirect) != 0;
      setup.event_index = (accepted_ & kFeatureEventIndex) != 0;
      setup.suppression = spec_.suppression;
    }
  }
  status_ = static_cast<uint8_t>(value);
  return nullptr;
}

const char* Pci::write_queue(uint32_t offset, uint64_t value) {
  if (offset >= kQueueEnd || queue_select_ >= count_) return "writes to a register that is not there";
  QueueSetup& setup = queue_[queue_select_].setup();
  if (setup.enabled) return "changes a queue that is enabled";
  switch (offset) {
    case kQueueSize:
      if (!is_queue_size(static_cast<uint32_t>(value)) || value > spec_.queue_size) {
        return "sets a queue size that is no power of two, or too large";
      }
      setup.size = static_cast<uint16_t>(value);
      return nullptr;
    case kQueueVector:  // 4.1.5.1.2: read back as NO_VECTOR when it cannot be had
      setup.vector = value < count_ ? static_cast<uint16_t>(value) : QueueSetup::kNoVector;
      return nullptr;
    case kQueueTable: setup.table = value; return nullptr;
    case kQueueAvailable: setup.available = value; return nullptr;
    case kQueueUsed: setup.used = value; return nullptr;
    case kQueueEnable:
      if (!(status_ & kStatusFeaturesOk)) return "enables a queue before FEATURES_OK";
      if (setup.table % 16 != 0 || setup.available % 2 != 0 || setup.used % 4 != 0) return "misaligns a part of a queue";
      if (setup.table == 0 || setup.available == 0 || setup.used == 0) return "enables a queue without memory";
      setup.enabled = value == 1;
      queue_[queue_select_].begin();
      return nullptr;
    default: return "writes to a register that cannot be written";
  }
}

const char* Pci::write(uint32_t offset, uint64_t value, uint32_t bytes) {
  static_cast<void>(bytes);
  if (is_kick(offset)) {
    const uint32_t queue = (offset - PLAIT_IO_NOTIFY) / kNotifyStride;
    if (queue >= count_ || value != queue) return "notifies a queue that is not there";
    if (!queue_[queue].setup().running || !queue_[queue].setup().enabled) return "notifies the device before DRIVER_OK";
    queue_[queue].kick();
    return nullptr;
  }
  if (offset == kStatus) return write_status(static_cast<uint32_t>(value));
  if (offset == kDriverFeature && (status_ & kStatusFeaturesOk)) return "changes features after FEATURES_OK";
  switch (offset) {
    case kDeviceFeatureSelect: offered_select_ = static_cast<uint32_t>(value); return nullptr;
    case kDriverFeatureSelect: accepted_select_ = static_cast<uint32_t>(value); return nullptr;
    case kDriverFeature:
      if (accepted_select_ < 2) {
        const uint64_t mask = uint64_t{0xffffffffu} << (32 * accepted_select_);
        accepted_ = (accepted_ & ~mask) | (value << (32 * accepted_select_) & mask);
      }
      return nullptr;
    case kConfigVector: config_vector_ = static_cast<uint16_t>(value); return nullptr;
    case kQueueSelect: queue_select_ = static_cast<uint32_t>(value); return nullptr;
    default: return write_queue(offset, value);
  }
}

}  // namespace plait::virtio
