// SPDX-License-Identifier: Apache-2.0
//
// Virtqueues in memory, as virtio 1.3 lays them out (2.7 split, 2.8 packed), and the arithmetic of their indices and
// notifications. Pure functions over numbers and bytes: a device uses them, and so do the tests that compare them with
// the specification's formulas. All fields are little-endian, whatever the host is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait::virtio {

// ---- little-endian fields in memory

template <typename T>
inline T load(const void* from) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return static_cast<T>(value);
}

template <typename T>
inline void store(void* to, T value) {
  auto* bytes = static_cast<unsigned char*>(to);
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<unsigned char>(uint64_t{value} >> (8 * i));
}

// ---- split queue (2.7)

constexpr uint32_t kQueueSizeMax = 32768;
constexpr uint32_t kDescriptorBytes = 16;
constexpr uint32_t kUsedElementBytes = 8;
constexpr uint16_t kNext = 1;      // VIRTQ_DESC_F_NEXT
constexpr uint16_t kWrite = 2;     // VIRTQ_DESC_F_WRITE: the device writes it
constexpr uint16_t kIndirect = 4;  // VIRTQ_DESC_F_INDIRECT
constexpr uint16_t kNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
constexpr uint16_t kNoNotify = 1;     // VIRTQ_USED_F_NO_NOTIFY

constexpr bool is_queue_size(uint32_t size) {  // 2.7.1
  return size != 0 && size <= kQueueSizeMax && (size & (size - 1)) == 0;
}

struct Descriptor {  // 2.7.5
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t flags = 0;
  uint16_t next = 0;
};

inline Descriptor load_descriptor(const void* from) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  return {load<uint64_t>(bytes), load<uint32_t>(bytes + 8), load<uint16_t>(bytes + 12), load<uint16_t>(bytes + 14)};
}

inline void store_descriptor(void* to, const Descriptor& descriptor) {
  auto* bytes = static_cast<unsigned char*>(to);
  store(bytes, descriptor.address);
  store(bytes + 8, descriptor.length);
  store(bytes + 12, descriptor.flags);
  store(bytes + 14, descriptor.next);
}

// Bytes of the parts of a queue of this size, and where things lie in them. Indices run freely modulo 2^16; the place
// of an element is its index modulo the size.
struct SplitLayout {
  uint32_t size;

  constexpr size_t table_bytes() const { return size_t{kDescriptorBytes} * size; }       // aligned to 16
  constexpr size_t available_bytes() const { return 6 + size_t{2} * size; }              // aligned to 2
  constexpr size_t used_bytes() const { return 6 + size_t{kUsedElementBytes} * size; }   // aligned to 4
  constexpr uint32_t place(uint16_t index) const { return index & (size - 1); }
  constexpr size_t descriptor(uint32_t number) const { return size_t{kDescriptorBytes} * number; }
  static constexpr size_t available_flags() { return 0; }
  static constexpr size_t available_index() { return 2; }
  constexpr size_t available(uint16_t index) const { return 4 + size_t{2} * place(index); }
  constexpr size_t used_event() const { return 4 + size_t{2} * size; }  // after the available ring
  static constexpr size_t used_flags() { return 0; }
  static constexpr size_t used_index() { return 2; }
  constexpr size_t used(uint16_t index) const { return 4 + size_t{kUsedElementBytes} * place(index); }
  constexpr size_t available_event() const { return 4 + size_t{kUsedElementBytes} * size; }  // after the used ring
};

// How many elements lie between what one side has seen and the other has published.
constexpr uint16_t ahead(uint16_t published, uint16_t seen) { return static_cast<uint16_t>(published - seen); }

// With VIRTIO_F_EVENT_IDX (2.7.7, 2.7.10): whoever moved its index from `old` to `now` tells the other side when that
// passed `event`, the index at which the other side asked to be told.
constexpr bool need_event(uint16_t event, uint16_t now, uint16_t old) {
  return static_cast<uint16_t>(now - event - 1) < static_cast<uint16_t>(now - old);
}

// ---- packed queue (2.8)

constexpr uint16_t kPackedAvailable = 1u << 7;
constexpr uint16_t kPackedUsed = 1u << 15;

struct PackedDescriptor {  // 2.8.13
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t id = 0;
  uint16_t flags = 0;
};

inline PackedDescriptor load_packed(const void* from) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  return {load<uint64_t>(bytes), load<uint32_t>(bytes + 8), load<uint16_t>(bytes + 12), load<uint16_t>(bytes + 14)};
}

inline void store_packed(void* to, const PackedDescriptor& descriptor) {
  auto* bytes = static_cast<unsigned char*>(to);
  store(bytes, descriptor.address);
  store(bytes + 8, descriptor.length);
  store(bytes + 12, descriptor.id);
  store(bytes + 14, descriptor.flags);
}

// A place in the ring and the wrap counter of whoever is there; both begin at {0, true} (2.8.1).
struct PackedPlace {
  uint16_t offset = 0;
  bool wrap = true;
  constexpr bool operator==(const PackedPlace&) const = default;
};

// `count` descriptors on, at most a whole round. Packed queues may have any size up to 2^15.
constexpr PackedPlace advance(PackedPlace place, uint16_t count, uint16_t size) {
  const uint32_t sum = uint32_t{place.offset} + count;
  if (sum < size) return {static_cast<uint16_t>(sum), place.wrap};
  return {static_cast<uint16_t>(sum - size), !place.wrap};
}

// The two bits that make a descriptor available, and used, to whoever has this wrap counter (2.8.1).
constexpr uint16_t packed_available_bits(bool wrap) { return wrap ? kPackedAvailable : kPackedUsed; }
constexpr uint16_t packed_used_bits(bool wrap) { return wrap ? kPackedAvailable | kPackedUsed : 0; }
constexpr bool packed_is_available(uint16_t flags, bool wrap) {
  return ((flags & kPackedAvailable) != 0) == wrap && ((flags & kPackedUsed) != 0) != wrap;
}
constexpr bool packed_is_used(uint16_t flags, bool wrap) {
  return ((flags & kPackedAvailable) != 0) == wrap && ((flags & kPackedUsed) != 0) == wrap;
}

// Event suppression structure (2.8.14): offset and wrap in one word, then flags.
enum class PackedEvent : uint16_t { kEnable = 0, kDisable = 1, kDescriptor = 2 };
constexpr uint16_t packed_event_word(PackedPlace place) {
  return static_cast<uint16_t>((place.offset & 0x7fff) | (place.wrap ? 0x8000 : 0));
}
constexpr PackedPlace packed_event_place(uint16_t word) {
  return {static_cast<uint16_t>(word & 0x7fff), (word & 0x8000) != 0};
}

// Whether the other side asked to be told when the ring moved `count` descriptors on, up to `now` (2.8.10): in the
// rounds of `now`, an event place of the other wrap lies a round back.
constexpr bool packed_need_event(PackedEvent flags, uint16_t word, PackedPlace now, uint16_t count, uint16_t size) {
  if (flags != PackedEvent::kDescriptor) return flags == PackedEvent::kEnable;
  const PackedPlace event = packed_event_place(word);
  const auto at = static_cast<uint16_t>(event.wrap == now.wrap ? event.offset : event.offset - size);
  return need_event(at, now.offset, static_cast<uint16_t>(now.offset - count));
}

}  // namespace plait::virtio
