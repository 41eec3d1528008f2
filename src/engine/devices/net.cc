// SPDX-License-Identifier: Apache-2.0
#include "devices/net.h"

#include <algorithm>
#include <cstring>

#include "base/hot.h"
#include "base/text.h"

namespace plait::virtio {
namespace {

constexpr std::array<uint8_t, 6> kMac = {0x02, 0, 0, 0, 0, 0x01};  // locally administered
constexpr uint32_t kMtuAt = 10;                                    // 5.1.4

uint32_t room(const Chain& chain) {
  uint32_t bytes = 0;
  for (const Segment& segment : chain.segments) bytes += segment.length;
  return bytes;
}

}  // namespace

void Net::load(const DeviceSpec& spec) {
  mtu_ = spec.mtu;
  offers_merging_ = spec.mergeable;
  merges_ = false;
  begin();
}

void Net::begin() {
  outside_.clear();
  next_ = 0;
}

uint64_t Net::features() const { return kNetMtu | kNetMac | (offers_merging_ ? kNetMergeable : 0); }

uint64_t Net::config(uint32_t offset, uint32_t bytes) const {  // 5.1.4
  uint64_t value = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    const uint32_t at = offset + i;
    const uint32_t byte = at < kMac.size() ? kMac[at] : at == kMtuAt ? mtu_ & 0xff : at == kMtuAt + 1 ? mtu_ >> 8 : 0;
    value |= uint64_t{byte} << (8 * i);
  }
  return value;
}

bool Net::takes(const Operation& operation) const { return is_packet(operation.kind) && operation.size <= packet_max(); }

bool Net::serve(Io& io, uint32_t queue, std::span<Chain* const> chains) {
  return queue == kReceiveQueue ? receive(io, chains) : send(io, *chains.front());
}

// ---- what comes in

uint32_t Net::needs(uint32_t queue, std::span<const Chain> open, uint32_t first) const {
  if (queue != kReceiveQueue) return Backend::needs(queue, open, first);
  if (next_ == outside_.size()) return 0;
  if (first >= open.size()) return kMore;
  if (!merges_) return 1;
  const uint32_t wanted = kNetHeaderBytes + outside_[next_].bytes;
  uint32_t bytes = room(open[first]);
  uint32_t count = 1;
  for (uint32_t i = 0; bytes < wanted && i < open.size(); ++i) {
    if (i == first || open[i].served) continue;
    bytes += room(open[i]);
    ++count;
  }
  return bytes < wanted ? kMore : count;
}

// 5.1.6.3.1: any packet that the MTU allows fits into a buffer, unless buffers are merged; then the header does.
bool Net::has_room(Io& io, const Chain& chain) const {
  for (const Segment& segment : chain.segments) {
    if (segment.write) continue;
    return io.fails(FailureKind::kRingProtocol, "finds a part to read in a buffer to receive into", segment.address);
  }
  const uint32_t least = merges_ ? kNetHeaderBytes : kNetHeaderBytes + packet_max();
  if (room(chain) >= least) return true;
  return io.fails(FailureKind::kRingProtocol,
                  "finds a buffer of " + Text::of(room(chain)) + " bytes to receive into; it has to hold " + Text::of(least),
                  chain.segments.front().address);
}

// Each buffer but the last is used up to its end (5.1.6.4.1).
bool Net::receive(Io& io, std::span<Chain* const> chains) {
  const Packet packet = outside_[next_++];
  NetHeader header;
  header.buffers = static_cast<uint16_t>(chains.size());
  store_net_header(frame_.data(), header);
  for (uint32_t i = 0; i < packet.bytes; ++i) frame_[kNetHeaderBytes + i] = Io::packet_byte(packet.request, i);
  const uint32_t whole = kNetHeaderBytes + packet.bytes;
  uint32_t done = 0;
  for (Chain* chain : chains) {
    if (!has_room(io, *chain)) return false;
    for (const Segment& segment : chain->segments) {
      const uint32_t take = std::min(segment.length, whole - done);
      if (take == 0) break;
      io.touch(segment.address, take, plait::kWrite);
      std::memcpy(reinterpret_cast<void*>(segment.address), frame_.data() + done, take);
      done += take;
      chain->written += take;
    }
  }
  Request& request = io.requests()[packet.request];
  io.meet(Meeting::What::kRequest, packet.request, Meeting::How::kWrite);
  request.state = Request::State::kServed;
  chains.front()->request = packet.request;
  io.note(EventKind::kDeviceReceive, chains.front()->segments.front().address, packet.bytes, chains.size(), packet.request);
  return true;
}

// ---- what is sent

// The header and the packet may be cut into descriptors in any way (2.7.4.1).
bool Net::gather(Io& io, const Chain& chain, uint32_t& bytes) {
  bytes = 0;
  for (const Segment& segment : chain.segments) {
    if (segment.write) {
      return io.fails(FailureKind::kRingProtocol, "finds a part to write in a packet to send", segment.address);
    }
    if (segment.length > frame_.size() - bytes) {
      return io.fails(FailureKind::kWrongData, "is given a packet that is longer than the MTU allows", segment.address);
    }
    io.touch(segment.address, segment.length, kRead);
    std::memcpy(frame_.data() + bytes, reinterpret_cast<const void*>(segment.address), segment.length);
    bytes += segment.length;
  }
  if (bytes >= kNetHeaderBytes + DeviceSpec::kEthernetBytes) return true;
  return io.fails(FailureKind::kRingProtocol,
                  "is given " + Text::of(bytes) + " bytes to send; the header has 12, and a packet at least 14",
                  chain.segments.front().address);
}

// 5.1.6.2.1: nothing of what would need a checksum or segmentation was negotiated, so the fields are 0.
bool Net::header_is_plain(Io& io, const Chain& chain) const {
  const NetHeader header = load_net_header(frame_.data());
  if (header.flags == 0 && header.gso_type == 0 && header.buffers == 0) return true;
  return io.fails(FailureKind::kRingProtocol,
                  "is given a header with flags " + Text::of(header.flags) + ", gso_type " + Text::of(header.gso_type) +
                      " and num_buffers " + Text::of(header.buffers) + "; no such feature was negotiated",
                  chain.segments.front().address);
}

bool Net::matches(Io& io, uint64_t address, uint32_t bytes, Request*& request) const {
  const uint8_t* packet = frame_.data() + kNetHeaderBytes;
  const uint64_t id = Io::packet_id(packet);
  std::vector<Request>& requests = io.requests();
  if (id >= requests.size() || requests[id].kind != OperationKind::kSend) {
    return io.fails(FailureKind::kWrongData, "is given a packet of " + Text::of(bytes) + " bytes that nobody sends", address);
  }
  request = &requests[id];
  const auto wrong = [&](FailureKind kind, const Text& what) {
    return io.fails(kind, "is given request " + Text::of(id) + " " + what, address, request);
  };
  if (request->state != Request::State::kAccepted) return wrong(FailureKind::kRequestCompletedTwice, "a second time");
  if (bytes != request->size) {
    return wrong(FailureKind::kWrongData, "with " + Text::of(bytes) + " bytes and not " + Text::of(request->size));
  }
  for (uint32_t i = 0; i < bytes; ++i) {
    if (packet[i] != Io::packet_byte(id, i)) {
      return wrong(FailureKind::kWrongData, "with other data than the caller's from byte " + Text::of(i) + " on");
    }
  }
  return true;
}

bool Net::send(Io& io, Chain& chain) {
  uint32_t bytes = 0;
  Request* request = nullptr;
  const uint64_t address = chain.segments.front().address;
  if (!gather(io, chain, bytes) || !header_is_plain(io, chain)) return false;
  if (!matches(io, address, bytes - kNetHeaderBytes, request)) return false;
  io.meet(Meeting::What::kRequest, request->id, Meeting::How::kWrite);
  request->state = Request::State::kServed;
  request->status = 0;
  chain.request = request->id;
  io.note(EventKind::kDeviceSend, address, request->size, 0, request->id);
  return true;
}

}  // namespace plait::virtio
