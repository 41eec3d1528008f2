// SPDX-License-Identifier: Apache-2.0
#include "devices/virtqueue.h"

#include <utility>

#include "machine/machine.h"

namespace plait::virtio {
namespace {

constexpr uint32_t kAcquire = kRead | kAtomic | __ATOMIC_ACQUIRE << kOrderShift;
constexpr uint32_t kRelease = plait::kWrite | kAtomic | __ATOMIC_RELEASE << kOrderShift;
constexpr uint32_t kMarkedRead = kRead | kMarked;
constexpr uint32_t kMarkedWrite = plait::kWrite | kMarked;

const void* at(uint64_t address) { return reinterpret_cast<const void*>(address); }
void* at_writable(uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

void Virtqueue::reset() {
  setup_ = QueueSetup{.number = setup_.number};
  awake_ = awake_at_start_ = false;
  begin();
}

void Virtqueue::snapshot() { awake_at_start_ = awake_; }

void Virtqueue::begin() {
  seen_ = published_ = used_ = told_ = moved_ = taken_count_ = 0;
  take_ = give_ = {};
  in_table_ = false;
  awake_ = awake_at_start_;
  armed_ = to_arm_ = quiet_ = owes_ = fetching_ = false;
  groups_ = 0;
  for (Chain& chain : open_) spares_.push_back(std::move(chain));
  open_.clear();
  taken_.assign(setup_.size, false);
}

bool Virtqueue::has_unseen() const {
  if (!setup_.running || !setup_.enabled || needs() != Backend::kMore) return false;
  if (setup_.packed) return packed_is_available(packed_available_flags(), take_.wrap);
  return load<uint16_t>(at(setup_.available + SplitLayout::available_index())) != seen_;
}

// ---- what comes next

uint32_t Virtqueue::first(bool served) const {
  uint32_t index = 0;
  while (index < open_.size() && open_[index].served != served) ++index;
  return index;
}

Virtqueue::Next Virtqueue::next() const {
  if (!setup_.running || !setup_.enabled) return Next::kNothing;
  if (owes_) return Next::kNotify;
  if (first(true) < open_.size()) return Next::kPublish;
  if (fetching_) return Next::kFetch;
  const uint32_t chains = needs();
  if (chains == 0) return Next::kNothing;
  if (chains != Backend::kMore) return Next::kServe;
  if (published_ != seen_) return Next::kFetch;
  if (!awake_) return Next::kNothing;
  return to_arm_ ? Next::kArm : Next::kLook;
}

uint32_t Virtqueue::others(std::span<uint8_t> into) const {
  const Next own = next();
  uint32_t count = 0;
  const uint32_t oldest = own == Next::kPublish ? first(true) : own == Next::kServe ? first(false) : kOthersMax;
  const uint32_t chains = needs();
  const bool serves = chains != 0 && chains != Backend::kMore;
  for (uint32_t i = 0; i < open_.size() && i < kOthersMax; ++i) {
    if (i != oldest && (serves || open_[i].served)) into[count++] = static_cast<uint8_t>(i + 1);
  }
  if (own != Next::kFetch && more_to_fetch() && (fetching_ || chains != 0)) into[count++] = kOtherFetch;
  if (own != Next::kLook && own != Next::kArm && awake_ && !more_to_fetch() && chains != 0) into[count++] = kOtherLook;
  return count;
}

Virtqueue::Act Virtqueue::act(uint8_t choice) const {
  if (choice == kOtherFetch) return {Next::kFetch};
  if (choice == kOtherLook) return {to_arm_ ? Next::kArm : Next::kLook};
  if (choice != 0) return {open_[choice - 1u].served ? Next::kPublish : Next::kServe, choice - 1u};
  const Next own = next();
  return {own, own == Next::kPublish ? first(true) : own == Next::kServe ? first(false) : 0};
}

void Virtqueue::step(Machine& machine, uint8_t choice) {
  Io& io = machine.io();
  const Act act = this->act(choice);
  switch (act.what) {
    case Next::kNothing: return;
    case Next::kNotify: return notify(io);
    case Next::kPublish: return publish(io, act.index);
    case Next::kFetch: return fetch(io);
    case Next::kServe: return serve(io, act.index);
    case Next::kArm: return arm(io);
    case Next::kLook: return look(io);
  }
}

DeviceStep Virtqueue::next_step(uint8_t choice) const {
  const SplitLayout layout{setup_.size};
  const Act act = this->act(choice);
  const auto what = static_cast<uint32_t>(act.what);
  const auto on_ring = [&](uint64_t address, bool writes) { return DeviceStep{kOnRing, what, address, !writes, writes}; };
  const auto of_chain = [&](uint64_t address, bool reads) {
    return DeviceStep{kFirstChain + open_[act.index].serial, what, address, reads, true};
  };
  switch (act.what) {
    case Next::kNothing: return {};
    case Next::kNotify:
      if (setup_.packed) return {kTelling, what, setup_.available + 2, true, false};
      return {kTelling, what,
              setup_.available + (setup_.event_index ? layout.used_event() : SplitLayout::available_flags()), true, false};
    case Next::kPublish:
      return of_chain(setup_.packed ? packed_descriptor(give_) : setup_.used + SplitLayout::used_index(), false);
    case Next::kFetch:
      if (in_table_ || (fetching_ && !setup_.packed)) return on_ring(table_ + kDescriptorBytes * next_, false);
      return on_ring(setup_.packed ? packed_descriptor(take_) : setup_.available + layout.available(seen_), false);
    case Next::kServe: return of_chain(open_[act.index].segments.back().address, true);  // its status
    case Next::kArm:
      if (setup_.packed) return on_ring(setup_.used + 2, true);
      return on_ring(setup_.used + (setup_.event_index ? layout.available_event() : SplitLayout::used_flags()), true);
    case Next::kLook:
      return on_ring(setup_.packed ? packed_descriptor(take_) : setup_.available + SplitLayout::available_index(), false);
  }
  return {};
}

// ---- the rings

uint16_t Virtqueue::read16(Io& io, uint64_t address, bool marked) {
  io.touch(address, 2, marked ? kMarkedRead : kRead);
  return load<uint16_t>(at(address));
}

void Virtqueue::write16(Io& io, uint64_t address, uint16_t value, uint32_t access) {
  io.touch(address, 2, access);
  store<uint16_t>(at_writable(address), value);
}

void Virtqueue::look(Io& io) {
  const SplitLayout layout{setup_.size};
  meet_arrivals(io);
  io.heard(setup_.number);
  if (setup_.packed) return look_packed(io);
  if (setup_.suppression && !setup_.event_index && !quiet_ && !armed_) {
    write16(io, setup_.used + layout.used_flags(), kNoNotify, kMarkedWrite);
    quiet_ = true;
  }
  const uint64_t address = setup_.available + layout.available_index();
  io.touch(address, 2, kAcquire);
  published_ = load<uint16_t>(at(address));
  io.note(EventKind::kDeviceLook, address, 2, published_, ahead(published_, seen_));
  if (ahead(published_, seen_) > setup_.size) {
    io.fails(FailureKind::kRingProtocol,
             "finds the available index at " + Text::of(published_) + ", " + Text::of(ahead(published_, seen_)) +
                 " ahead of what it has taken; the queue has " + Text::of(setup_.size) + " entries",
             address);
    return;
  }
  looked();
}

// With something new or without.
void Virtqueue::looked() {
  if (published_ != seen_) {
    armed_ = false;
  } else if (armed_ || !(setup_.suppression || setup_.event_index)) {
    awake_ = armed_ = false;
  } else {
    to_arm_ = true;
  }
}

// Notifications are wanted again; what came in just before is looked for once more.
void Virtqueue::arm(Io& io) {
  meet_arrivals(io);
  io.meet(Meeting::What::kKick, setup_.number, Meeting::How::kTake);
  if (setup_.packed) return arm_packed(io);
  const SplitLayout layout{setup_.size};
  const uint64_t address = setup_.event_index ? setup_.used + layout.available_event() : setup_.used + layout.used_flags();
  const uint16_t value = setup_.event_index ? seen_ : 0;
  write16(io, address, value, kMarkedWrite);
  io.note(EventKind::kDeviceArm, address, 2, value, setup_.number);
  quiet_ = to_arm_ = false;
  armed_ = true;
}

// ---- taking a chain

Chain& Virtqueue::spare() {
  if (spares_.empty()) spares_.emplace_back();
  std::swap(chain_, spares_.back());
  spares_.pop_back();
  chain_.served = chain_.flush = false;
  chain_.written = 0;
  chain_.serial = taken_count_++;
  chain_.request = Chain::kNoRequest;
  chain_.group = chain_.part = 0;
  chain_.parts = 1;
  chain_.segments.clear();
  chain_.descriptors.clear();
  return chain_;
}

bool Virtqueue::begin_chain(Io& io) {
  const SplitLayout layout{setup_.size};
  const uint64_t slot = setup_.available + layout.available(seen_);
  const uint16_t head = read16(io, slot, false);
  ++seen_;
  fetching_ = true;
  spare().head = next_ = head;
  table_ = setup_.table;
  table_size_ = setup_.size;
  table_memory_ = {};
  if (head < setup_.size) return true;
  return io.fails(FailureKind::kRingProtocol,
                  "takes descriptor " + Text::of(head) + " from the available ring; there are " + Text::of(setup_.size), slot);
}

void Virtqueue::fetch(Io& io) {
  if (!fetching_) meet_arrivals(io);
  if (setup_.packed) return fetch_packed(io);
  if (!fetching_ && !begin_chain(io)) return;
  if (!read_descriptor(io) || fetching_) return;
  io.meet(Meeting::What::kChain, chain_.serial, Meeting::How::kGive);
  open_.push_back(std::move(chain_));
  chain_ = {};
}

bool Virtqueue::read_descriptor(Io& io) {
  const bool indirect = table_memory_.length != 0;
  const uint64_t address = table_ + kDescriptorBytes * next_;
  if (indirect && !io.may_touch(table_memory_)) {
    return io.fails(FailureKind::kForeignDma, "reads an indirect table that is no request's any more", address);
  }
  io.touch(address, kDescriptorBytes, kRead);
  const Descriptor descriptor = load_descriptor(at(address));
  io.note(EventKind::kDeviceFetch, address, kDescriptorBytes, next_, chain_.head);
  if (!indirect) {
    if (taken_[next_]) {
      return io.fails(FailureKind::kRingProtocol,
                      "is given descriptor " + Text::of(next_) + ", which it has already and did not return", address);
    }
    taken_[next_] = true;
    io.meet(Meeting::What::kDescriptor, next_, Meeting::How::kWrite);
    chain_.descriptors.push_back(next_);
  }
  if (descriptor.flags & kIndirect) {
    if (!setup_.indirect || indirect || (descriptor.flags & kNext) || descriptor.length == 0 ||
        descriptor.length % kDescriptorBytes != 0) {
      return io.fails(FailureKind::kRingProtocol,
                      "finds an indirect descriptor " + Text(!setup_.indirect            ? "that was not negotiated"
                                                             : indirect                  ? "in an indirect table"
                                                             : descriptor.flags & kNext ? "with NEXT set"
                                                                                         : "of an odd length"),
                      address);
    }
    table_memory_ = {descriptor.address, descriptor.length, false, 0};
    if (!io.may_touch(table_memory_)) {
      return io.fails(FailureKind::kForeignDma,
                      "is to read an indirect table in memory that is no request's", descriptor.address);
    }
    table_ = descriptor.address;
    table_size_ = descriptor.length / kDescriptorBytes;
    next_ = 0;
    return true;
  }
  if (!add_segment(io, descriptor)) return false;
  fetching_ = (descriptor.flags & kNext) != 0;
  if (!fetching_) return true;
  next_ = descriptor.next;
  if (next_ < table_size_ && chain_.segments.size() < table_size_) return true;
  return io.fails(FailureKind::kRingProtocol,
                  next_ < table_size_ ? Text("follows a chain that is longer than its table")
                                      : "is sent on to descriptor " + Text::of(next_) + " of " + Text::of(table_size_),
                  address);
}

bool Virtqueue::add_segment(Io& io, const Descriptor& descriptor) {
  Segment segment{descriptor.address, descriptor.length, (descriptor.flags & virtio::kWrite) != 0, 0};
  if (segment.length == 0 || (!segment.write && !chain_.segments.empty() && chain_.segments.back().write)) {
    return io.fails(FailureKind::kRingProtocol,
                    segment.length == 0 ? "finds a descriptor of no bytes"
                                        : "finds a part to read behind one to write in the chain of descriptor " +
                                              Text::of(chain_.head));
  }
  if (!io.may_touch(segment)) {
    return io.fails(FailureKind::kForeignDma,
                    Text(segment.write ? "is to write " : "is to read ") + Text::of(segment.length) +
                        " bytes in memory that is no request's",
                    segment.address);
  }
  chain_.segments.push_back(segment);
  return true;
}

// ---- returning it

void Virtqueue::serve(Io& io, uint32_t index) {
  meet_arrivals(io);
  const uint32_t count = backend_.needs(setup_.number, open_, index);
  together_.assign(1, &open_[index]);
  for (uint32_t i = 0; together_.size() < count && i < open_.size(); ++i) {
    if (i != index && !open_[i].served) together_.push_back(&open_[i]);
  }
  for (Chain* chain : together_) {
    io.meet(Meeting::What::kChain, chain->serial, chain == together_.front() ? Meeting::How::kTake : Meeting::How::kWrite);
    for (Segment& segment : chain->segments) {
      if (io.may_touch(segment)) continue;
      io.fails(FailureKind::kForeignDma,
               Text(segment.write ? "writes " : "reads ") + Text::of(segment.length) +
                   " bytes in memory that was the request's and is no more",
               segment.address);
      return;
    }
  }
  if (!backend_.serve(io, setup_.number, together_)) return;
  ++groups_;
  for (uint32_t part = 0; part < count; ++part) {
    Chain& chain = *together_[part];
    chain.served = true;
    chain.group = groups_;
    chain.part = part;
    chain.parts = count;
  }
}

// With all that was served together with it (5.1.6.4.1: a packet's buffers become used at once).
void Virtqueue::publish(Io& io, uint32_t index) {
  const uint32_t group = open_[index].group;
  const uint32_t parts = open_[index].parts;
  for (uint32_t part = 0; part < parts; ++part) {
    uint32_t at = 0;
    while (open_[at].group != group || open_[at].part != part) ++at;
    if (parts > 1) io.meet(Meeting::What::kChain, open_[at].serial, Meeting::How::kWrite);
    leaving_.push_back(std::move(open_[at]));
    open_.erase(open_.begin() + at);
  }
  const Chain& first = leaving_.front();
  io.flushes().published += first.flush;
  if (first.flush) io.meet(Meeting::What::kFlushes, 0, Meeting::How::kWrite);
  if (first.request != Chain::kNoRequest) {
    io.published(first.request);
    io.meet(Meeting::What::kRequest, first.request, Meeting::How::kWrite);
  }
  io.meet(Meeting::What::kReturned, setup_.number, owes_ ? Meeting::How::kWrite : Meeting::How::kGive);
  owes_ = true;
  setup_.packed ? publish_packed(io, leaving_) : publish_split(io, leaving_);
  for (Chain& chain : leaving_) spares_.push_back(std::move(chain));
  leaving_.clear();
}

void Virtqueue::publish_split(Io& io, std::span<const Chain> chains) {
  const SplitLayout layout{setup_.size};
  for (const Chain& chain : chains) {
    for (const uint16_t descriptor : chain.descriptors) {
      taken_[descriptor] = false;
      io.meet(Meeting::What::kDescriptor, descriptor, Meeting::How::kWrite);
    }
    const uint64_t element = setup_.used + layout.used(used_);
    io.touch(element, kUsedElementBytes, plait::kWrite);
    store<uint32_t>(at_writable(element), chain.head);
    store<uint32_t>(at_writable(element + 4), chain.written);
    ++used_;
  }
  const uint64_t address = setup_.used + layout.used_index();
  write16(io, address, used_, kRelease);
  io.note(EventKind::kDevicePublish, address, 2, used_, chains.front().head);
}

void Virtqueue::notify(Io& io) {
  const SplitLayout layout{setup_.size};
  uint64_t address =
      setup_.event_index ? setup_.available + layout.used_event() : setup_.available + layout.available_flags();
  uint16_t word = 0;
  bool wanted = false;
  io.meet(Meeting::What::kReturned, setup_.number, Meeting::How::kTake);
  if (setup_.packed) {
    wanted = wanted_packed(io, address, word);
  } else {
    word = read16(io, address, true);
    wanted = setup_.event_index ? need_event(word, used_, told_) : (word & kNoInterrupt) == 0;
  }
  told_ = used_;
  owes_ = false;
  const bool raises = wanted && setup_.vector != QueueSetup::kNoVector;
  io.note(EventKind::kDeviceNotify, address, 2, word, raises ? setup_.vector : -1);
  if (raises) io.raise(setup_.vector);
}

}  // namespace plait::virtio
