// SPDX-License-Identifier: Apache-2.0
//
// What an announced step will touch: memory, locks, and what the machine keeps (explore/places.h). Of devices see
// Guide::note_device.
#include "explore/guide.h"
#include "explore/places.h"

namespace plait {

void Guide::range(uint64_t address, uint64_t size, Touch touch) {
  if (size == 0) return;
  uint64_t last = 0;
  for (uint64_t granule = address >> kGranuleShift; granule <= (address + size - 1) >> kGranuleShift; ++granule) {
    const uint64_t where = granule_of(granule);
    if (where != last) add_place(where, touch);
    last = where;
  }
}

// The data of a request are one place.
uint64_t Guide::granule_of(uint64_t granule) const {
  for (const Request& request : machine_.io().requests()) {
    const uint64_t first = request.data >> kGranuleShift;
    if (granule - first < request.bytes() >> kGranuleShift) return first;
  }
  return granule;
}

// A driver's calls of the allocator, while it is in an operation or a handler, are no operations of the scenario.
bool Guide::drives(const Process& process) const {
  switch (process.id.kind) {
    case ContextKind::kTask: return process.request != 0;
    case ContextKind::kIrq: return is_of_device(process.id.number);
    case ContextKind::kWorker: return true;
    case ContextKind::kStart:
    case ContextKind::kDevice: break;
  }
  return false;
}

const Operation* Guide::operation_of(const Process& process) const {
  const Scenario& scenario = machine_.scenario();
  const std::vector<Operation>* program = nullptr;
  if (process.id.kind == ContextKind::kTask) program = &scenario.tasks[process.id.number].operations;
  if (process.id.kind == ContextKind::kIrq) program = &scenario.lines[process.id.number].operations;
  if (!program || process.calls == 0 || process.calls > program->size()) return nullptr;
  return &(*program)[process.calls - 1];
}

// Interrupts off on a CPU are a lock of this CPU, and so is preemption off; a task with interrupts off has both.
void Guide::flag_places(EventKind kind, bool handler, uint8_t number, uint8_t cpu) {
  const bool interrupts = kind != EventKind::kPreemptDisable && kind != EventKind::kPreemptEnable;
  const bool off = kind == EventKind::kIrqSave || kind == EventKind::kIrqOff || kind == EventKind::kPreemptDisable;
  const Touch touch = off ? Touch::kAcquire : Touch::kRelease;
  if (interrupts) add_place(kept(kInterrupts, cpu), touch);
  if (!handler) add_place(kept(kPreemption, cpu), touch);
  if (interrupts || !handler) add_place(kept(kCpuOf, number), Touch::kRead);
}

// Who calls, and with which object: a slot is handed over, and its object's bytes change hands.
void Guide::call_places(const PendingStep& step, Process& process) {
  const bool refused = step.kind == EventKind::kReturnAlloc && step.address == 0;
  if (refused && !process.page_refused) add_place(kept(kAsked, 0), Touch::kRead);  // legal where nobody has asked for a page
  if (drives(process)) {
    if (step.kind == EventKind::kReturnAlloc && step.address != 0) range(step.address, step.size, Touch::kWrite);
    const Object* object = step.kind == EventKind::kCallFree ? machine_.objects().overlapping_live(step.address, 1) : nullptr;
    if (object) range(object->address, object->size, Touch::kWrite);
    return;
  }
  if (step.kind != EventKind::kReturnAlloc) ++process.calls;
  const Operation* operation = operation_of(process);
  if (!operation) return;
  add_place(kept(kSlot, operation->slot), Touch::kWrite);
  Held& held = slots_[operation->slot];
  if (step.kind == EventKind::kCallFree) {
    range(held.object, held.size, Touch::kWrite);
    held = {};
  } else if (step.kind == EventKind::kReturnAlloc && step.address != 0) {
    range(step.address, operation->size, Touch::kWrite);
    held = {step.address, operation->size};
  }
}

// Requests are numbered as they come, and where their data lie depends on those that are over.
void Guide::request_places(const PendingStep& step, Process& process) {
  const auto& requests = machine_.io().requests();
  const auto touch_request = [&](uint64_t id) {
    add_place(kept(Meeting::What::kRequest, id), Touch::kWrite);
    if (id < requests.size() && requests[id].kind == OperationKind::kFlush) add_place(kept(Meeting::What::kFlushes, 0), Touch::kWrite);
  };
  const auto call = [&] {
    ++process.calls;
    add_place(kept(kRequests, 0), Touch::kWrite);
    add_place(kept(Meeting::What::kRequest, requests.size()), Touch::kWrite);
  };
  const auto end = [&](uint64_t id) {
    add_place(kept(kRequests, 0), Touch::kRead);
    if (id < requests.size() && requests[id].has_data()) range(requests[id].data, requests[id].bytes(), Touch::kWrite);
  };
  switch (step.kind) {
    case EventKind::kCallFlush: add_place(kept(Meeting::What::kFlushes, 0), Touch::kWrite); [[fallthrough]];
    case EventKind::kCallRead:
    case EventKind::kCallWrite:
    case EventKind::kCallDiscard:
    case EventKind::kCallWriteZeroes:
    case EventKind::kCallGetId:
    case EventKind::kCallSend:
      process.request = static_cast<uint32_t>(requests.size()) + 1;
      call();
      break;
    case EventKind::kCallReceive:  // of the device: the driver is not called
      add_place(kept(Meeting::What::kArrivals, 0), machine_.io().has_arrived() ? Touch::kWrite : Touch::kGive);
      call();
      break;
    case EventKind::kReturnRequest:
      if (step.access != 0) touch_request(process.request - 1);
      if (step.access != 0) end(process.request - 1);
      process.request = 0;
      break;
    case EventKind::kRequestDone:
      touch_request(step.access - 1);
      end(step.access - 1);
      break;
    case EventKind::kKick: {
      const uint32_t queue = step.access - 1;
      const bool goes_on = queue < kDevicesMax && (ringing_ >> queue & 1) != 0;
      add_place(kept(Meeting::What::kKick, queue), goes_on ? Touch::kWrite : Touch::kGive);
      break;
    }
    case EventKind::kIoRead: add_place(kept(kRegisters, 0), Touch::kRead); break;
    case EventKind::kIoWrite: add_place(kept(kRegisters, 0), Touch::kWrite); break;
    default: break;
  }
}

// Who comes after a handler that lets nobody in comes after all of it.
void Guide::places_of(const PendingStep& step, Process& process, uint8_t number, uint8_t cpu) {
  const bool handler = process.id.kind == ContextKind::kIrq;
  const bool flag = step.kind >= EventKind::kIrqSave && step.kind <= EventKind::kIrqOn;
  if (handler && !flag && !machine_.cpu(cpu).irq_enabled) add_place(kept(kInterrupts, cpu), Touch::kRelease);
  if (is_access(step.kind)) return range(step.address, step.size, step.access & kWrite ? Touch::kWrite : Touch::kRead);
  const uint64_t object = step.address >> kGranuleShift;
  switch (step.kind) {
    case EventKind::kIrqSave:
    case EventKind::kIrqOff:
    case EventKind::kIrqRestore:
    case EventKind::kIrqOn:
    case EventKind::kPreemptDisable:
    case EventKind::kPreemptEnable: flag_places(step.kind, handler, number, cpu); break;
    case EventKind::kCpuId: add_place(kept(kCpuOf, number), Touch::kRead); break;
    case EventKind::kSpinLock:
    case EventKind::kSpinTrylock: {
      Locked& locked = locked_[object];
      const bool seize = step.kind == EventKind::kSpinTrylock || (locked.cpus >> cpu & 1) != 0;
      add_place(object, seize ? Touch::kSeize : Touch::kAcquire);
      locked = {number, 1u << cpu};
      break;
    }
    case EventKind::kSpinUnlock: add_place(object, Touch::kRelease); break;
    case EventKind::kMutexLock:
    case EventKind::kMutexTrylock:
    case EventKind::kMutexUnlock:
    case EventKind::kWaitPrepare:
    case EventKind::kWaitCommit:
    case EventKind::kWaitCancel:
    case EventKind::kWake:
    case EventKind::kSemDown:
    case EventKind::kSemTrydown:
    case EventKind::kSemUp:
      add_place(object, Touch::kWrite);
      break;
    case EventKind::kWait:
      add_place(object, Touch::kWrite);
      if (process.mutex != 0) add_place(process.mutex, Touch::kWrite);
      break;
    case EventKind::kPageAlloc:
      add_place(kept(kSupply, 0), Touch::kWrite);
      add_place(kept(kAsked, 0), Touch::kWrite);
      break;
    case EventKind::kPageFree:
      add_place(kept(kSupply, 0), Touch::kWrite);
      range(step.address, step.size * machine_.page_size(), Touch::kWrite);
      break;
    case EventKind::kCallAlloc:
    case EventKind::kCallFree:
    case EventKind::kReturnAlloc: call_places(step, process); break;
    case EventKind::kCallRead:
    case EventKind::kCallWrite:
    case EventKind::kCallFlush:
    case EventKind::kCallDiscard:
    case EventKind::kCallWriteZeroes:
    case EventKind::kCallGetId:
    case EventKind::kCallSend:
    case EventKind::kCallReceive:
    case EventKind::kReturnRequest:
    case EventKind::kRequestDone:
    case EventKind::kKick:
    case EventKind::kIoRead:
    case EventKind::kIoWrite: request_places(step, process); break;
    default: break;  // what nobody else could notice
  }
}

}  // namespace plait
