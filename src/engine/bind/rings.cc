// SPDX-License-Identifier: Apache-2.0
#include "bind/rings.h"

#include <nanobind/stl/string.h>

#include <string>

#include "devices/block.h"
#include "devices/net_header.h"
#include "devices/ring.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace plait {
namespace {

constexpr uint32_t kIndices = 1u << 16;

struct Rings {};  // only a name for what is in it

nb::bytes as_bytes(const std::string& bytes) { return nb::bytes(bytes.data(), bytes.size()); }

nb::dict split_layout(uint32_t size) {
  const virtio::SplitLayout layout{size};
  nb::dict object;
  object["table_bytes"] = layout.table_bytes();
  object["available_bytes"] = layout.available_bytes();
  object["used_bytes"] = layout.used_bytes();
  object["available_flags"] = layout.available_flags();
  object["available_index"] = layout.available_index();
  object["used_event"] = layout.used_event();
  object["used_flags"] = layout.used_flags();
  object["used_index"] = layout.used_index();
  object["available_event"] = layout.available_event();
  return object;
}

// The configuration space of a block device, read byte by byte.
nb::bytes block_config(uint32_t sectors, uint32_t queues) {
  DeviceSpec spec;
  spec.kind = DeviceKind::kBlock;
  spec.sectors = sectors;
  spec.vectors.assign(queues, 0);
  virtio::Block block;
  block.load(spec);
  std::string bytes;
  for (uint32_t i = 0; i < 60; ++i) bytes += static_cast<char>(block.config(i, 1));
  return as_bytes(bytes);
}

nb::tuple block_range(const nb::bytes& bytes) {
  if (bytes.size() != virtio::kRangeBytes) throw nb::value_error("a range has 16 bytes");
  const virtio::BlockRange range = virtio::load_range(bytes.data());
  return nb::make_tuple(range.sector, range.sectors, range.flags);
}

// One of the functions of an index, for each of the 2^16 indices.
nb::list places(uint32_t size, const std::string& what) {
  const virtio::SplitLayout layout{size};
  nb::list list;
  for (uint32_t i = 0; i < kIndices; ++i) {
    const auto index = static_cast<uint16_t>(i);
    list.append(what == "available" ? layout.available(index)
                : what == "used"    ? layout.used(index)
                                    : layout.place(index));
  }
  return list;
}

// A byte for each event index: 1 where the other side has to be told.
nb::bytes need_event(uint16_t now, uint16_t old) {
  std::string answers(kIndices, '\0');
  for (uint32_t event = 0; event < kIndices; ++event) {
    answers[event] = virtio::need_event(static_cast<uint16_t>(event), now, old);
  }
  return as_bytes(answers);
}

// The same for a packed queue, over the words of an event structure.
nb::bytes packed_need_event(uint16_t flags, uint16_t offset, bool wrap, uint16_t count, uint16_t size) {
  std::string answers(kIndices, '\0');
  for (uint32_t word = 0; word < kIndices; ++word) {
    answers[word] = virtio::packed_need_event(static_cast<virtio::PackedEvent>(flags), static_cast<uint16_t>(word),
                                              {offset, wrap}, count, size);
  }
  return as_bytes(answers);
}

// A byte for each value of a descriptor's flags: bit 0 available, bit 1 used.
nb::bytes packed_states(bool wrap) {
  std::string answers(kIndices, '\0');
  for (uint32_t i = 0; i < kIndices; ++i) {
    const auto flags = static_cast<uint16_t>(i);
    answers[i] = static_cast<char>(virtio::packed_is_available(flags, wrap) | virtio::packed_is_used(flags, wrap) << 1);
  }
  return as_bytes(answers);
}

nb::tuple packed_advance(uint16_t offset, bool wrap, uint16_t count, uint16_t size) {
  const virtio::PackedPlace place = virtio::advance({offset, wrap}, count, size);
  return nb::make_tuple(place.offset, place.wrap);
}

nb::bytes descriptor(uint64_t address, uint32_t length, uint16_t third, uint16_t fourth, bool packed) {
  std::string bytes(virtio::kDescriptorBytes, '\0');
  if (packed) {
    virtio::store_packed(bytes.data(), {address, length, third, fourth});
  } else {
    virtio::store_descriptor(bytes.data(), {address, length, third, fourth});
  }
  return as_bytes(bytes);
}

nb::tuple loaded(nb::bytes bytes, bool packed) {
  if (bytes.size() != virtio::kDescriptorBytes) throw nb::value_error("a descriptor has 16 bytes");
  if (packed) {
    const virtio::PackedDescriptor found = virtio::load_packed(bytes.data());
    return nb::make_tuple(found.address, found.length, found.id, found.flags);
  }
  const virtio::Descriptor found = virtio::load_descriptor(bytes.data());
  return nb::make_tuple(found.address, found.length, found.flags, found.next);
}

nb::bytes net_header(uint8_t flags, uint8_t gso_type, uint16_t header_length, uint16_t gso_size, uint16_t checksum_start,
                     uint16_t checksum_offset, uint16_t buffers) {
  std::string bytes(virtio::kNetHeaderBytes, '\0');
  virtio::store_net_header(bytes.data(),
                           {flags, gso_type, header_length, gso_size, checksum_start, checksum_offset, buffers});
  return as_bytes(bytes);
}

nb::tuple net_header_loaded(nb::bytes bytes) {
  if (bytes.size() != virtio::kNetHeaderBytes) throw nb::value_error("a network header has 12 bytes");
  const virtio::NetHeader found = virtio::load_net_header(bytes.data());
  return nb::make_tuple(found.flags, found.gso_type, found.header_length, found.gso_size, found.checksum_start,
                        found.checksum_offset, found.buffers);
}

}  // namespace

void add_rings(nb::module_& module) {
  nb::class_<Rings> rings(module, "Rings");
  rings.def_static("is_queue_size", &virtio::is_queue_size, "size"_a);
  rings.def_static("split_layout", &split_layout, "size"_a);
  rings.def_static("places", &places, "size"_a, "what"_a);
  rings.def_static("ahead", &virtio::ahead, "published"_a, "seen"_a);
  rings.def_static("need_event", &need_event, "now"_a, "old"_a);
  rings.def_static("packed_need_event", &packed_need_event, "flags"_a, "offset"_a, "wrap"_a, "count"_a, "size"_a);
  rings.def_static("packed_states", &packed_states, "wrap"_a);
  rings.def_static("packed_advance", &packed_advance, "offset"_a, "wrap"_a, "count"_a, "size"_a);
  rings.def_static("packed_available_bits", &virtio::packed_available_bits, "wrap"_a);
  rings.def_static("packed_used_bits", &virtio::packed_used_bits, "wrap"_a);
  rings.def_static(
      "packed_event_word", [](uint16_t offset, bool wrap) { return virtio::packed_event_word({offset, wrap}); },
      "offset"_a, "wrap"_a);
  rings.def_static("descriptor", &descriptor, "address"_a, "length"_a, "third"_a, "fourth"_a, "packed"_a);
  rings.def_static("net_header", &net_header, "flags"_a, "gso_type"_a, "header_length"_a, "gso_size"_a, "checksum_start"_a,
                   "checksum_offset"_a, "buffers"_a);
  rings.def_static("net_header_loaded", &net_header_loaded, "bytes"_a);
  rings.def_static("loaded", &loaded, "bytes"_a, "packed"_a);
  rings.def_static("block_config", &block_config, "sectors"_a, "queues"_a);
  rings.def_static("block_range", &block_range, "bytes"_a);
}

}  // namespace plait
