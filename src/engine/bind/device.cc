// SPDX-License-Identifier: Apache-2.0
#include "bind/device.h"

#include <nanobind/stl/string.h>

#include <bit>

namespace nb = nanobind;

namespace plait {
namespace {

constexpr const char* kBlockName = "virtio-blk";
constexpr const char* kNetName = "virtio-net";
constexpr size_t kNetQueues = 2;

template <typename T>
T field(const nb::dict& object, const char* key, uint64_t low, uint64_t high) {
  T value{};
  if (!object.contains(key) || !nb::try_cast(object[key], value) || static_cast<uint64_t>(value) < low || static_cast<uint64_t>(value) > high) {
    throw nb::value_error((std::string("the device's ") + key + " is missing, of a wrong type or out of range").c_str());
  }
  return value;
}

}  // namespace

DeviceKind device_kind(const std::string& name) {
  if (name.empty()) return DeviceKind::kNone;
  if (name == kBlockName) return DeviceKind::kBlock;
  if (name == kNetName) return DeviceKind::kNet;
  throw nb::value_error(("no device is called \"" + name + "\"").c_str());
}

void add_device(Scenario& scenario, const nb::dict& object) {
  DeviceSpec& device = scenario.device;
  device.kind = device_kind(object.contains("kind") ? nb::cast<std::string>(object["kind"]) : "missing");
  device.queue_size = field<uint32_t>(object, "queue_size", 1, DeviceSpec::kQueueSizeMax);
  if (!std::has_single_bit(device.queue_size)) throw nb::value_error("the device's queue_size is no power of two");
  if (device.kind == DeviceKind::kBlock) {
    device.sectors = field<uint32_t>(object, "sectors", 1, DeviceSpec::kSectorsMax);
    device.read_only = field<bool>(object, "read_only", 0, 1);
  } else {
    device.mergeable = field<bool>(object, "mergeable", 0, 1);
    device.mtu = field<uint32_t>(object, "mtu", DeviceSpec::kMtuMin, DeviceSpec::kMtuMax);
  }
  device.indirect = field<bool>(object, "indirect", 0, 1);
  device.event_index = field<bool>(object, "event_index", 0, 1);
  device.suppression = field<bool>(object, "suppression", 0, 1);
  if (object.contains("packed")) device.packed = field<bool>(object, "packed", 0, 1);
  nb::list vectors;
  if (!object.contains("vectors") || !nb::try_cast(object["vectors"], vectors) || vectors.size() == 0 || vectors.size() > kDevicesMax ||
      scenario.lines.size() + vectors.size() > kLinesMax) {
    throw nb::value_error("the device's vectors are missing, or more than the machine has lines");
  }
  for (nb::handle item : vectors) {
    const int cpu = item.is_none() ? LineSpec::kAnyCpu : nb::cast<int>(item);
    const int vector = static_cast<int>(device.vectors.size());
    device.vectors.push_back(cpu);
    scenario.lines.push_back({cpu, 0, {}, vector});
  }
  if (device.kind == DeviceKind::kNet && device.vectors.size() != kNetQueues) {
    throw nb::value_error("a network device has two queues, with a vector each");
  }
}

nb::dict to_python(const DeviceSpec& device) {
  nb::dict object;
  object["kind"] = device.kind == DeviceKind::kBlock ? kBlockName : kNetName;
  object["queue_size"] = device.queue_size;
  if (device.kind == DeviceKind::kBlock) {
    object["sectors"] = device.sectors;
    object["read_only"] = device.read_only;
  } else {
    object["mergeable"] = device.mergeable;
    object["mtu"] = device.mtu;
  }
  object["indirect"] = device.indirect;
  object["event_index"] = device.event_index;
  object["suppression"] = device.suppression;
  object["packed"] = device.packed;
  nb::list vectors;
  for (const int cpu : device.vectors) {
    if (cpu == LineSpec::kAnyCpu) {
      vectors.append(nb::none());
    } else {
      vectors.append(cpu);
    }
  }
  object["vectors"] = vectors;
  return object;
}

nb::list rings_to_python(Machine& machine) {
  nb::list list;
  if (!machine.io().used()) return list;
  const auto offset = [&](uint64_t address) { return machine.memory().offset(address); };
  for (uint32_t queue = 0; queue < machine.scenario().device.vectors.size(); ++queue) {
    const RingPlace ring = machine.io().peripheral().ring(queue);
    if (ring.table == 0) continue;
    list.append(nb::make_tuple(queue, ring.size, offset(ring.table), offset(ring.available), offset(ring.used), ring.packed));
  }
  return list;
}

}  // namespace plait
