// SPDX-License-Identifier: Apache-2.0
#include "machine/io.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/prng.h"
#include "machine/machine.h"

namespace plait {
namespace {

constexpr uint32_t kRequestsUsual = 256;

EventKind call_kind(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead: return EventKind::kCallRead;
    case OperationKind::kWrite: return EventKind::kCallWrite;
    case OperationKind::kSend: return EventKind::kCallSend;
    case OperationKind::kReceive: return EventKind::kCallReceive;
    case OperationKind::kDiscard: return EventKind::kCallDiscard;
    case OperationKind::kWriteZeroes: return EventKind::kCallWriteZeroes;
    case OperationKind::kGetId: return EventKind::kCallGetId;
    default: return EventKind::kCallFlush;
  }
}

uint32_t request_type(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead: return PLAIT_REQUEST_READ;
    case OperationKind::kWrite: return PLAIT_REQUEST_WRITE;
    case OperationKind::kSend: return PLAIT_REQUEST_SEND;
    case OperationKind::kDiscard: return PLAIT_REQUEST_DISCARD;
    case OperationKind::kWriteZeroes: return PLAIT_REQUEST_WRITE_ZEROES;
    case OperationKind::kGetId: return PLAIT_REQUEST_GET_ID;
    default: return PLAIT_REQUEST_FLUSH;
  }
}

bool has_data(OperationKind kind) {
  return kind == OperationKind::kRead || kind == OperationKind::kWrite || kind == OperationKind::kGetId ||
         kind == OperationKind::kSend;
}

const char* range_words(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead: return " (read sector ";
    case OperationKind::kDiscard: return " (discard sector ";
    case OperationKind::kWriteZeroes: return " (zero sector ";
    default: return " (write sector ";
  }
}

}  // namespace

bool Io::takes(OperationKind kind) const {
  if (kind <= OperationKind::kFlush || is_packet(kind)) return true;
  return (driver_->takes & PLAIT_REQUEST_BIT(request_type(kind))) != 0;
}

uint64_t Io::pattern(uint64_t seed, uint32_t word) { return ((seed + 1) * 0x9e3779b97f4a7c15u ^ word) * 0xbf58476d1ce4e5b9u; }

// The driver's code runs from now on, or no longer.
void Io::set_driver(bool on) {
  machine_.current_->in_driver = on;
  machine_.memory_.let_driver(on);
}

// What an operation of the context keeps to itself while it calls the allocator, which is an operation too.
class Io::InAllocator {
 public:
  explicit InAllocator(Io& io) : io_(io), context_(*io.machine_.current_) {
    io_.machine_.settle();
    outer_ = {context_.operation_slot, context_.operation, context_.operation_steps, context_.page_refused, context_.throw_pc,
              context_.irq_at_call, context_.preempt_at_call, context_.locks_at_call};
    io_.set_driver(false);
  }
  ~InAllocator() {
    io_.machine_.settle();
    context_.operation_slot = outer_.slot;
    context_.operation = outer_.operation;
    context_.operation_steps += outer_.steps;
    context_.page_refused = outer_.page_refused;
    context_.throw_pc = outer_.throw_pc;
    context_.irq_at_call = outer_.irq_at_call;
    context_.preempt_at_call = outer_.preempt_at_call;
    context_.locks_at_call = outer_.locks_at_call;
    io_.set_driver(true);
  }

 private:
  struct Call {
    int slot;
    uint64_t operation;
    uint32_t steps;
    bool page_refused;
    uintptr_t throw_pc;
    bool irq_at_call;
    int preempt_at_call;
    uint32_t locks_at_call;
  };
  Io& io_;
  Context& context_;
  Call outer_{};
};

// ---- between executions

std::span<Device* const> Io::load(const Scenario& scenario, const plait_driver* driver) {
  peripheral_ = known_[static_cast<size_t>(scenario.device.kind)];
  driver_ = peripheral_ ? driver : nullptr;
  requests_.reserve(kRequestsUsual);
  probed_.clear();
  begin();
  if (!used()) return {};
  own_lines_ = static_cast<uint32_t>(scenario.lines.size() - scenario.device.vectors.size());
  peripheral_->load(scenario.device);
  return peripheral_->queues();
}

void Io::probe() {
  machine_.begin_operation(-1);
  set_driver(true);
  const int result = driver_->probe();
  set_driver(false);
  machine_.check_restored("probe");
  if (result != 0 && !machine_.current_->object_refused) {
    machine_.die(FailureKind::kAssertion, "the driver's probe returned " + Text::of(result), 0);
  }
  if (result != 0) machine_.give_up(GiveUp::kMemory);
}

void Io::snapshot() {
  for (const Object& object : machine_.objects_.all()) {
    if (object.live) probed_.push_back(object);
  }
  peripheral_->snapshot();
}

void Io::begin() {
  requests_.clear();
  flushes_ = {};
  refused_ = false;
  kept_.clear();
  descriptors_.fill(0);
  for (const Object& object : probed_) machine_.objects_.hand_out(object.address, object.size) = object;
  if (used()) peripheral_->begin();
}

// ---- requests

Request& Io::open(const Operation& operation) {
  Request request;
  request.id = static_cast<uint32_t>(requests_.size());
  request.kind = operation.kind;
  request.sector = operation.sector;
  request.sectors = has_sectors(operation.kind) ? operation.sectors : 0;
  request.size = operation.size;
  request.by = machine_.current_->id;
  flushes_.accepted += request.kind == OperationKind::kFlush;
  if (has_data(request.kind)) fill(request);
  requests_.push_back(request);
  return requests_.back();
}

// The caller's data, as they are before the driver has them.
void Io::fill(Request& request) {
  void* data = machine_.memory_.heap_alloc((request.bytes() + 7) & ~7u, is_packet(request.kind) ? 64 : kSectorBytes);
  ENGINE_CHECK(data != nullptr);
  request.data = reinterpret_cast<uintptr_t>(data);
  if (request.kind == OperationKind::kSend) {
    auto* bytes = static_cast<uint8_t*>(data);
    for (uint32_t i = 0; i < request.size; ++i) bytes[i] = packet_byte(request.id, i);
  } else {
    auto* words = static_cast<uint64_t*>(data);
    for (uint32_t i = 0; i < (request.bytes() + 7) / 8; ++i) {
      words[i] = request.kind == OperationKind::kWrite ? pattern(request.id, i) : 0;
    }
  }
  if (machine_.order_.on()) machine_.order_.forget(request.data, request.bytes());
}

void Io::close(Request& request, Request::State state) {
  request.state = state;
  if (request.kind == OperationKind::kFlush) state == Request::State::kDone ? ++flushes_.done : --flushes_.accepted;
  if (request.data != 0) machine_.memory_.heap_free(request.data);
}

void Io::run_request(const Operation& operation) {
  Machine& machine = machine_;
  machine.step(call_kind(operation.kind), 0, 0, is_packet(operation.kind) ? operation.size : operation.sectors);
  machine.set_event_arg(operation.sector);
  if (!used() || !peripheral_->takes(operation) || !takes(operation.kind)) {
    machine.set_event_kind(EventKind::kSkip);
    ++machine.outcome_.skipped_operations;
    return;
  }
  const Request request = open(operation);
  ++machine.outcome_.requests;
  machine.set_event_value(request.id);
  if (request.kind == OperationKind::kReceive) {  // nothing that a driver is asked for
    peripheral_->arrive(request.id, request.size);
    return machine.change();
  }
  machine.begin_operation(-1);
  machine.current_->object_refused = false;
  int result = 0;
  bool thrown = false;
  set_driver(true);
  try {
    result = driver_->request(request.id, request_type(request.kind), request.sector,
                              reinterpret_cast<void*>(request.data), request.bytes());
  } catch (...) {
    thrown = true;
  }
  set_driver(false);
  if (thrown) machine.die(FailureKind::kException, machine.who() + ": an exception left request", machine.current_->throw_pc);
  machine.step(EventKind::kReturnRequest, 0, 0, 0, result != 0);
  machine.set_event_arg(request.id);
  machine.set_event_value(static_cast<uint64_t>(result < 0 ? -result : result));
  machine.check_restored("request");
  machine.current_->watch.active = machine.current_->watch.frozen = false;
  if (result == 0) return;
  if (!machine.current_->object_refused) {
    die_of(FailureKind::kRequestNeverCompleted, described(request) + " was refused although no allocation had failed", 0, 0, request);
  }
  if (requests_[request.id].state == Request::State::kAccepted) close(requests_[request.id], Request::State::kRefused);
}

void Io::run_handler(uint32_t vector) {
  machine_.begin_operation(-1);
  bool thrown = false;
  set_driver(true);
  try {
    driver_->interrupt(vector);
  } catch (...) {
    thrown = true;
  }
  set_driver(false);
  if (thrown) {
    machine_.die(FailureKind::kException, machine_.who() + ": an exception left the driver's handler", machine_.current_->throw_pc);
  }
  machine_.check_restored("the driver's handler");
}

Text Io::described(const Request& request) const {
  const Text number = "request " + Text::of(request.id);
  if (request.kind == OperationKind::kFlush) return number + " (flush)";
  if (request.kind == OperationKind::kGetId) return number + " (name of the disk)";
  if (is_packet(request.kind)) {
    return number + (request.kind == OperationKind::kSend ? " (send " : " (receive ") + Text::of(request.size) + " bytes)";
  }
  return number + range_words(request.kind) + Text::of(request.sector) +
         (request.sectors == 1 ? Text(")") : ", " + Text::of(request.sectors) + " sectors)");
}

void Io::die_of(FailureKind kind, const Text& message, uintptr_t pc, uintptr_t address, const Request& request) {
  Failure failure;
  failure.kind = kind;
  failure.message = message;
  failure.evidence.push_back(machine_.here(pc, name(kind)));
  if (address != 0) {
    failure.evidence.back().has_address = true;
    failure.evidence.back().address = machine_.encode(address);
  }
  Evidence& asked = failure.evidence.emplace_back();
  asked.has_context = true;
  asked.context = request.by;
  asked.what = "asked for it";
  machine_.fail(std::move(failure));
}

void Io::done(uint64_t id, uint32_t status, uintptr_t pc) {
  machine_.step(EventKind::kRequestDone, pc, 0, 0, static_cast<uint32_t>(id) + 1);
  machine_.set_event_arg(static_cast<int64_t>(id));
  machine_.set_event_value(status);
  if (id >= requests_.size()) {
    machine_.die(FailureKind::kAssertion, machine_.who() + " completes request " + Text::of(id) + ", which there is not", pc);
  }
  finish(requests_[id], status, pc);
}

void Io::finish(Request& request, uint32_t status, uintptr_t pc) {
  const auto says = [&](std::string_view what) { return machine_.who() + " completes " + described(request) + what; };
  if (request.over()) {
    die_of(FailureKind::kRequestCompletedTwice, says(", which is over already"), pc, 0, request);
  }
  if (request.is_range()) exchange(request);
  if (!returned(request)) {
    die_of(FailureKind::kRequestCompletedEarly, says(", which the device has not returned yet"), pc, 0, request);
  }
  if (status != request.status) {
    die_of(FailureKind::kWrongData,
           says(" with status ") + Text::of(status) + "; the device said " + Text::of(request.status), pc, 0, request);
  }
  if (request.reads() && hash_of(request) != request.data_hash) {
    die_of(FailureKind::kWrongData, says(" with other data than the device had put there"), pc, request.data, request);
  }
  close(request, Request::State::kDone);
}

bool Io::returned(const Request& request) const {
  return request.kind == OperationKind::kFlush ? flushes_.published > flushes_.done : request.state == Request::State::kPublished;
}

// ---- the allocator, from the driver

void* Io::alloc(size_t size, uintptr_t pc) {
  Machine& machine = machine_;
  const plait_target& target = *machine.target_.declaration;
  if (!machine.current_->in_driver) machine.die(FailureKind::kAssertion, "plait_object_alloc is called outside of a driver", pc);
  if (size < target.size_min) size = target.size_min;
  if (size == 0) size = 1;
  if (size > target.size_max) {
    machine.die(FailureKind::kAssertion, "the driver asks for " + Text::of(size) + " bytes, the allocator hands out at most " +
                                             Text::of(target.size_max), pc);
  }
  machine.step(EventKind::kCallAlloc, pc, 0, size);
  uintptr_t address = 0;
  {
    const InAllocator inside(*this);
    address = machine.take_object(static_cast<uint32_t>(size), kNoSlot);
  }
  if (address == 0) {
    machine.current_->object_refused = refused_ = true;
    return nullptr;
  }
  Object& object = *machine.objects_.find(address);
  object.by_driver = true;
  machine.memory_.set_state(address, (size + 7) & ~size_t{7}, kLive);
  return reinterpret_cast<void*>(address);
}

void Io::free(void* pointer, uintptr_t pc) {
  if (pointer == nullptr) return;
  Machine& machine = machine_;
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  machine.step(EventKind::kCallFree, pc, address);
  Object* object = machine.objects_.find(address);
  if (!object || !object->live || !object->by_driver) {
    const Object* around = machine.objects_.overlapping_live(address, 1);
    const Text why = object && object->size != 0 && !object->live ? ", which " + short_name(object->freed_by) + " has freed already"
                     : around ? ", which lies inside the object " + machine.place_name(around->address)
                              : Text(", which it never got from the allocator");
    machine.die(FailureKind::kBadFree, machine.who() + " frees " + machine.place_name(address) + why, pc, address);
  }
  machine.memory_.set_state(address, (size_t{object->size} + 7) & ~size_t{7}, kOwned);
  object->live = false;
  object->freed_by = machine.current_->id;
  machine.outcome_.costs.transfers += object->cpu != machine.current_->cpu;
  const InAllocator inside(*this);
  machine.return_object(address, kNoSlot);
}

// ---- the device's registers

uint64_t Io::read(uint32_t offset, uint32_t bytes, uintptr_t pc) {
  machine_.step(EventKind::kIoRead, pc, 0, bytes);
  machine_.set_event_arg(offset);
  if (!used()) machine_.die(FailureKind::kAssertion, "plait_io_read is called although there is no device", pc);
  const uint64_t value = peripheral_->read(offset, bytes);
  machine_.set_event_value(value);
  return value;
}

void Io::write(uint32_t offset, uint64_t value, uint32_t bytes, uintptr_t pc) {
  const bool kick = used() && peripheral_->is_kick(offset);
  machine_.step(kick ? EventKind::kKick : EventKind::kIoWrite, pc, 0, bytes, kick ? static_cast<uint32_t>(value) + 1 : 0);
  machine_.set_event_arg(offset);
  machine_.set_event_value(value);
  if (!used()) machine_.die(FailureKind::kAssertion, "plait_io_write is called although there is no device", pc);
  if (kick && machine_.order_.on()) machine_.order_.add(machine_.order_.of(kKickKey + value));
  if (const char* error = peripheral_->write(offset, value, bytes)) {
    machine_.die(FailureKind::kRingProtocol, machine_.who() + " " + error, pc);
  }
  if (kick) machine_.change();
}

void* Io::dma_alloc(size_t size, size_t alignment, uintptr_t pc) {
  if (machine_.mode_ != Machine::Mode::kBoot) machine_.die(FailureKind::kAssertion, "plait_dma_alloc is called outside of probe", pc);
  void* memory = machine_.memory_.heap_alloc(size, alignment);
  if (!memory) machine_.die(FailureKind::kAssertion, "plait_dma_alloc(" + Text::of(size) + "): too much", pc);
  machine_.memory_.log(reinterpret_cast<uintptr_t>(memory), (size + 7) & ~size_t{7});
  std::memset(memory, 0, size);
  machine_.memory_.set_state(reinterpret_cast<uintptr_t>(memory), size, kLive);  // nothing of the allocator's
  return memory;
}

}  // namespace plait
