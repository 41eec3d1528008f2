// SPDX-License-Identifier: Apache-2.0
//
// The part of a virtqueue's device side that is its own of packed rings (virtio 1.3, 2.8): there are no indices, a
// descriptor says by two bits of its flags whose it is, and what is returned overwrites what was made available.
#include <utility>

#include "devices/virtqueue.h"
#include "machine/machine.h"

namespace plait::virtio {
namespace {

constexpr uint32_t kAcquire = kRead | kAtomic | __ATOMIC_ACQUIRE << kOrderShift;
constexpr uint32_t kRelease = plait::kWrite | kAtomic | __ATOMIC_RELEASE << kOrderShift;
constexpr uint32_t kMarkedWrite = plait::kWrite | kMarked;
constexpr uint32_t kIdAt = 12;
constexpr uint32_t kFlagsAt = 14;

const void* at(uint64_t address) { return reinterpret_cast<const void*>(address); }
void* at_writable(uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

uint16_t Virtqueue::packed_available_flags() const { return load<uint16_t>(at(packed_descriptor(take_) + kFlagsAt)); }

void Virtqueue::look_packed(Io& io) {
  if (setup_.suppression && !quiet_ && !armed_) {
    write16(io, setup_.used + 2, static_cast<uint16_t>(PackedEvent::kDisable), kMarkedWrite);
    quiet_ = true;
  }
  const uint64_t address = packed_descriptor(take_) + kFlagsAt;
  io.touch(address, 2, kAcquire);
  const bool available = packed_is_available(packed_available_flags(), take_.wrap);
  if (available) published_ = static_cast<uint16_t>(seen_ + 1);
  io.note(EventKind::kDeviceLook, address, 2, packed_available_flags(), available);
  looked();
}

void Virtqueue::arm_packed(Io& io) {
  const bool at_place = setup_.event_index;
  if (at_place) write16(io, setup_.used, packed_event_word(take_), kMarkedWrite);
  const auto flags = static_cast<uint16_t>(at_place ? PackedEvent::kDescriptor : PackedEvent::kEnable);
  write16(io, setup_.used + 2, flags, kMarkedWrite);
  io.note(EventKind::kDeviceArm, setup_.used + 2, 2, flags, setup_.number);
  quiet_ = to_arm_ = false;
  armed_ = true;
}

void Virtqueue::fetch_packed(Io& io) {
  if (!fetching_) {
    ++seen_;
    fetching_ = true;
    in_table_ = false;
    spare().count = 0;
  }
  if (!read_packed(io) || fetching_) return;
  io.meet(Meeting::What::kChain, chain_.serial, Meeting::How::kGive);
  open_.push_back(std::move(chain_));
  chain_ = {};
}

// One descriptor, of the ring or of an indirect table.
bool Virtqueue::read_packed(Io& io) {
  const uint64_t address = in_table_ ? table_ + kDescriptorBytes * next_ : packed_descriptor(take_);
  if (in_table_ && !io.may_touch(table_memory_)) {
    return io.fails(FailureKind::kForeignDma, "reads an indirect table that is no request's any more", address);
  }
  io.touch(address, kDescriptorBytes, kRead);
  const PackedDescriptor descriptor = load_packed(at(address));
  io.note(EventKind::kDeviceFetch, address, kDescriptorBytes, in_table_ ? next_ : take_.offset, descriptor.id);
  if (in_table_) {
    if (!add_segment(io, {descriptor.address, descriptor.length, descriptor.flags, 0})) return false;
    fetching_ = ++next_ < table_size_;
    return true;
  }
  take_ = virtio::advance(take_, 1, setup_.size);
  chain_.head = descriptor.id;  // of the last one, which says it
  if (++chain_.count > setup_.size) {
    return io.fails(FailureKind::kRingProtocol, "follows a chain that is longer than the ring", address);
  }
  if ((descriptor.flags & kIndirect) == 0) {
    fetching_ = (descriptor.flags & kNext) != 0;
    return add_segment(io, {descriptor.address, descriptor.length, descriptor.flags, 0});
  }
  const bool odd = descriptor.length == 0 || descriptor.length % kDescriptorBytes != 0;
  if (!setup_.indirect || (descriptor.flags & kNext) || odd) {
    return io.fails(FailureKind::kRingProtocol, "finds an indirect descriptor that was not negotiated, or is malformed",
                    address);
  }
  table_memory_ = {descriptor.address, descriptor.length, false, 0};
  if (!io.may_touch(table_memory_)) {
    return io.fails(FailureKind::kForeignDma, "is to read an indirect table in memory that is no request's",
                    descriptor.address);
  }
  table_ = descriptor.address;
  table_size_ = descriptor.length / kDescriptorBytes;
  next_ = 0;
  in_table_ = true;
  return true;
}

// 2.8.6: one used descriptor a buffer, its flags last; the place of the others is skipped. Of several that are returned
// together, the flags of the first come last of all.
void Virtqueue::publish_packed(Io& io, std::span<const Chain> chains) {
  const PackedPlace first = give_;
  for (const Chain& chain : chains) {
    const uint64_t address = packed_descriptor(give_);
    io.touch(address + 8, 6, plait::kWrite);
    store<uint32_t>(at_writable(address + 8), chain.written);
    store<uint16_t>(at_writable(address + kIdAt), chain.head);
    if (&chain != chains.data()) write16(io, address + kFlagsAt, packed_used_bits(give_.wrap), kRelease);
    give_ = virtio::advance(give_, chain.count, setup_.size);
    moved_ = static_cast<uint16_t>(moved_ + chain.count);
    ++used_;
  }
  const uint64_t flags = packed_descriptor(first) + kFlagsAt;
  write16(io, flags, packed_used_bits(first.wrap), kRelease);
  io.note(EventKind::kDevicePublish, flags, 2, packed_used_bits(first.wrap), chains.front().head);
}

bool Virtqueue::wanted_packed(Io& io, uint64_t& address, uint16_t& word) {
  address = setup_.available + 2;
  word = read16(io, address, true);
  const uint16_t place = read16(io, setup_.available, true);
  const bool wanted = packed_need_event(static_cast<PackedEvent>(word), place, give_, moved_, setup_.size);
  moved_ = 0;
  return wanted;
}

}  // namespace plait::virtio
