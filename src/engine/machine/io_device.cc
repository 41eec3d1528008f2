// SPDX-License-Identifier: Apache-2.0
//
// The request path below the driver: what a device may touch and what it tells; and what has to hold at the end.
#include <algorithm>
#include <utility>

#include "machine/machine.h"

namespace plait {

// ---- what devices ask

Request* Io::request_at(uintptr_t address) {
  for (Request& request : requests_) {  // of those that are over, the memory may be another's by now
    if (!request.over() && request.has_data() && address - request.data < request.bytes()) return &request;
  }
  return nullptr;
}

Request* Io::request_for(OperationKind kind, uint64_t sector, uint64_t sectors) {
  for (Request& request : requests_) {
    const bool waits = request.state == Request::State::kAccepted && request.kind == kind;
    if (waits && request.sector == sector && request.sectors == sectors) return &request;
  }
  return nullptr;
}

// Memory of a request in flight: its data, an object that the driver holds, or what was made for DMA.
bool Io::may_touch(Segment& segment) {
  meet(Meeting::What::kMemory, segment.address, Meeting::How::kRead, segment.length);
  const Memory& memory = machine_.memory_;
  const uintptr_t end = segment.address + segment.length;
  if (!memory.in_arena(segment.address) || !memory.in_arena(end - 1) || end < segment.address) return false;
  if (!memory.in_pages(segment.address)) {
    return memory.is_all(segment.address, segment.length, kOwned) || memory.is_all(segment.address, segment.length, kLive);
  }
  if (segment.life != 0) {
    const Object& object = machine_.objects_.all()[segment.object];
    return object.live && object.life == segment.life;
  }
  const Object* object = machine_.objects_.overlapping_live(segment.address, segment.length);
  if (!object || !object->by_driver) return false;
  if (object->address > segment.address || end > object->address + object->size) return false;
  segment.life = object->life;
  segment.object = static_cast<uint32_t>(object - machine_.objects_.all().data());
  return true;
}

void Io::touch(uintptr_t address, size_t size, uint32_t access) {
  meet(Meeting::What::kMemory, address, access & kWrite ? Meeting::How::kWrite : Meeting::How::kRead, size);
  if (access & kWrite) {
    machine_.memory_.log(address, size);
    ++machine_.hot_.writes;
  }
  if (machine_.order_.on()) machine_.order_.access(address, size, access, machine_.hot_.code_base);
}

void Io::heard(uint32_t queue) {
  meet(Meeting::What::kKick, queue, Meeting::How::kTake);
  if (machine_.order_.on()) machine_.order_.take(machine_.order_.of(kKickKey + queue));
}

bool Io::fails(FailureKind kind, const Text& message, uintptr_t address, const Request* request) {
  Failure failure;
  failure.kind = kind;
  failure.message = short_name(machine_.last_->id) + " " + message;
  Evidence& first = failure.evidence.emplace_back();
  first.has_context = true;
  first.context = machine_.last_->id;
  first.what = name(kind);
  if (address != 0) {
    first.has_address = true;
    first.address = machine_.encode(address);
  }
  if (request) {
    Evidence& asked = failure.evidence.emplace_back();
    asked.has_context = true;
    asked.context = request->by;
    asked.what = "asked for it";
  }
  machine_.keep_failure(std::move(failure));
  return false;
}

void Io::note(EventKind kind, uintptr_t address, size_t size, uint64_t value, int64_t arg) {
  if (!machine_.recording_) return;
  Event event;
  event.kind = kind;
  event.context = static_cast<int16_t>(machine_.last_->slot);
  event.size = static_cast<uint32_t>(size);
  event.address = address ? machine_.encode(address) : 0;
  event.has_value = event.has_arg = true;
  event.value = value;
  event.arg = arg;
  machine_.recorder_.add(event);
}

uint64_t Io::hash_of(const Request& request) {
  uint64_t hash = request.sectors;
  const auto* words = reinterpret_cast<const uint64_t*>(request.data);  // of whole words, whatever its bytes are
  for (uint32_t i = 0; request.has_data() && i < (request.bytes() + 7) / 8; ++i) {
    hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
  }
  return hash;
}

// A device cannot tell those apart that have no data and ask for the same.
void Io::exchange(Request& request) {
  if (request.state == Request::State::kPublished) return;
  for (Request& other : requests_) {
    if (!other.same_range(request) || other.state != Request::State::kPublished) continue;
    std::swap(request.state, other.state);
    std::swap(request.status, other.status);
    return;
  }
}

void Io::published(uint32_t request) {
  Request* which = &requests_[request];
  for (Request& other : requests_) {  // exchanged meanwhile with one that asks for the same
    if (which->state == Request::State::kServed || !which->is_range()) break;
    if (other.same_range(*which) && other.state == Request::State::kServed) which = &other;
  }
  which->state = Request::State::kPublished;
}

void Io::raise(uint32_t vector) {
  const uint32_t line = own_lines_ + vector;
  meet(Meeting::What::kLine, line, machine_.lines_[line].pending ? Meeting::How::kWrite : Meeting::How::kGive);
  machine_.raise_line(line);
  if (machine_.order_.on()) machine_.order_.add(machine_.order_.of(kLineKey + line));
}

bool Io::raised(uint32_t line) const { return machine_.lines_[line].pending; }

void Io::entered(uint32_t line) {
  if (machine_.order_.on()) machine_.order_.take(machine_.order_.of(kLineKey + line));
}

// ---- at quiescence

void Io::judge_requests() {
  for (const Request& request : requests_) {  // first: what waits behind it for room is its consequence
    if (request.over() || !returned(request)) continue;
    die_of(FailureKind::kLostNotification,
           described(request) + " was returned by the device, and the driver waits to be told: neither will move", 0, 0, request);
  }
  for (const Request& request : requests_) {
    if (request.over()) continue;
    if (peripheral_->has_unseen()) {
      die_of(FailureKind::kLostNotification,
             described(request) + " is not done: a ring holds what the device was not told of, and both sides wait", 0, 0, request);
    }
    if (request.kind == OperationKind::kReceive) {
      if (refused_) continue;  // memory was out: without a buffer for it, a packet is dropped
      die_of(FailureKind::kRequestNeverCompleted, described(request) + " never came in: the device has no room for it on its queue",
             0, 0, request);
    }
    die_of(FailureKind::kRequestNeverCompleted, described(request) + " was accepted and never given to the device", 0, 0, request);
  }
}

void Io::judge_driver() {
  if (driver_->check) {
    set_driver(true);
    driver_->check();
    set_driver(false);
  }
  for (uint32_t queue = 0; queue < machine_.scenario_.device.vectors.size(); ++queue) {
    const uint32_t size = machine_.scenario_.device.queue_size;
    if (descriptors_[queue] == 0 || descriptors_[queue] - 1 == size) continue;
    machine_.die(FailureKind::kDescriptorLeak,
                 "nothing is under way, and " + Text::of(descriptors_[queue] - 1) + " of the " + Text::of(size) +
                     " descriptors of queue " + Text::of(queue) + " are free", 0);
  }
  for (const Object& object : machine_.objects_.all()) {
    if (!object.live || !object.by_driver) continue;
    const auto same = [&](const Object& other) { return other.address == object.address && other.life == object.life; };
    if (std::any_of(probed_.begin(), probed_.end(), same)) continue;
    if (std::find(kept_.begin(), kept_.end(), object.address) != kept_.end()) continue;
    Failure failure;
    failure.kind = FailureKind::kObjectLeak;
    failure.message = "nothing is under way, and the driver still holds " + machine_.place_name(object.address) + ", which " +
                      short_name(object.holder) + " allocated";
    Evidence& piece = failure.evidence.emplace_back();
    piece.has_context = true;
    piece.context = object.holder;
    piece.has_address = true;
    piece.address = machine_.encode(object.address);
    piece.what = "allocated it";
    machine_.fail(std::move(failure));
  }
}

void Io::report_descriptors(uint32_t queue, uint32_t free, uintptr_t pc) {
  if (machine_.mode_ != Machine::Mode::kCheck || queue >= descriptors_.size()) {
    machine_.die(FailureKind::kAssertion, "plait_report_descriptors is called outside of check, or of no queue", pc);
  }
  descriptors_[queue] = free + 1;
}

void Io::report_kept(const void* object, uintptr_t pc) {
  if (machine_.mode_ != Machine::Mode::kCheck) {
    machine_.die(FailureKind::kAssertion, "plait_report_kept is called outside of check", pc);
  }
  kept_.push_back(reinterpret_cast<uintptr_t>(object));
}

}  // namespace plait
