// SPDX-License-Identifier: Apache-2.0
//
// Packets on the request path: what each of them holds, and what a driver hands up.
#include <array>
#include <cstring>

#include "machine/machine.h"

namespace plait {

uint8_t Io::packet_byte(uint64_t id, uint32_t at) {
  const uint64_t word = at < 8 ? id : pattern(id, at / 8);
  return static_cast<uint8_t>(word >> (at % 8 * 8));
}

uint64_t Io::packet_id(const uint8_t* bytes) {
  uint64_t id = 0;
  for (uint32_t i = 0; i < 8; ++i) id |= uint64_t{bytes[i]} << (8 * i);
  return id;
}

// The driver hands a packet up: what it holds was read by it, as any of its memory is.
void Io::received(std::span<const plait_part> parts, uintptr_t pc) {
  std::array<uint8_t, DeviceSpec::kMtuMax + DeviceSpec::kEthernetBytes> bytes;
  size_t size = 0;
  const auto wrong = [&](const Text& what) {
    machine_.die(FailureKind::kWrongData, machine_.who() + " hands up a packet " + what, pc);
  };
  for (const plait_part& part : parts) {
    if (part.bytes == 0) continue;
    if (part.bytes > bytes.size() - size) wrong("that is longer than any that came in");
    machine_.access(reinterpret_cast<uintptr_t>(part.data), part.bytes, kRead, pc);
    std::memcpy(bytes.data() + size, part.data, part.bytes);
    size += part.bytes;
  }
  const uint64_t id = size < DeviceSpec::kEthernetBytes ? ~uint64_t{0} : packet_id(bytes.data());
  machine_.step(EventKind::kRequestDone, pc, 0, 0, id < requests_.size() ? static_cast<uint32_t>(id) + 1 : 0);
  if (id >= requests_.size() || requests_[id].kind != OperationKind::kReceive) {
    wrong("of " + Text::of(size) + " bytes that did not come in");
  }
  machine_.set_event_arg(static_cast<int64_t>(id));
  machine_.set_event_value(0);
  Request& request = requests_[id];
  if (size != request.size) {
    die_of(FailureKind::kWrongData, machine_.who() + " hands up " + Text::of(size) + " bytes of " + described(request), pc, 0, request);
  }
  for (uint32_t i = 0; i < size; ++i) {
    if (bytes[i] == packet_byte(id, i)) continue;
    die_of(FailureKind::kWrongData, machine_.who() + " hands up " + described(request) + " with other data from byte " + Text::of(i) + " on",
           pc, 0, request);
  }
  finish(request, request.status, pc);
}

}  // namespace plait
