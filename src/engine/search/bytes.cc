// SPDX-License-Identifier: Apache-2.0
#include "search/bytes.h"

#include <algorithm>
#include <bitset>

namespace plait {
namespace {

constexpr uint32_t kSlots = 24;
constexpr uint32_t kPagesPlenty = 64;
constexpr uint32_t kSizesOfScenario = 3;  // few, so that programs meet in the same pools
constexpr uint8_t kOwnSize = 240;         // from here on an allocation's size is one of its own
constexpr uint32_t kFiresMax = 4;
constexpr uint32_t kActivations = 4;
constexpr uint32_t kSmaller = 8;  // a request is at most so many bytes below a size class, less one
// Where each part of the header begins.
constexpr size_t kCpusAt = 0;
constexpr size_t kTasksAt = 1;
constexpr size_t kLinesAt = 2;
constexpr size_t kPagesAt = 3;
constexpr size_t kSizesAt = 4;
constexpr size_t kKnobsAt = kSizesAt + kSizesOfScenario;
// Indices of anchors: the start, tasks, workers, handlers. A device has some of those of tasks for its queues, and for
// its handlers, which run more often than others.
constexpr uint32_t kTaskAnchors = 1;
constexpr uint32_t kMoreHandlerAnchors = kTaskAnchors + kTasksMax;
constexpr uint32_t kDeviceAnchors = 33;
constexpr uint32_t kWorkerAnchors = 41;
constexpr uint32_t kHandlerAnchors = 49;
constexpr uint32_t kAnchors = 64;
constexpr uint32_t kMoves = 1024;
// What the low bits of a deviation's third byte say of its second one: up to there it counts within the first 64 steps,
// where most contexts end; or within 256; or, with the next three bits, beyond.
constexpr uint32_t kNear = 5;
constexpr uint32_t kFar = 7;
constexpr uint32_t kNearSteps = 64;

uint8_t at(std::span<const uint8_t> bytes, size_t index) { return index < bytes.size() ? bytes[index] : uint8_t{0}; }
uint32_t within(Range range, uint8_t byte) { return range.min + byte % (range.max - range.min + 1); }
uint8_t narrow(uint64_t value) { return static_cast<uint8_t>(value); }

ContextId context(ContextKind kind, uint32_t number, uint32_t activation = 0) {
  return {kind, narrow(number), static_cast<uint16_t>(activation)};
}

std::vector<Operation>& program(Scenario& scenario, uint32_t context) {
  const auto tasks = static_cast<uint32_t>(scenario.tasks.size());
  return context < tasks ? scenario.tasks[context].operations : scenario.lines[context - tasks].operations;
}

template <typename Change>
void each_program(Scenario& scenario, Change change) {
  for (TaskSpec& task : scenario.tasks) change(task.operations);
  for (LineSpec& line : scenario.lines) change(line.operations);
}

}  // namespace

ByteCodec::ByteCodec(const plait_target& target, const Environment& environment, Preset preset, uint32_t workers)
    : target_(target), environment_(environment), preset_(preset), workers_(workers) {
  while (target_.knobs && target_.knobs[knobs_].name) ++knobs_;
  device_at_ = kKnobsAt + knobs_ + environment_.tasks.max + environment_.interrupts.max;
  header_bytes_ = device_at_ + (has_device() ? kDeviceBytes : 0);
  const auto smallest = static_cast<uint32_t>(std::max<size_t>(target_.size_min, 1));
  const auto largest = static_cast<uint32_t>(std::min<size_t>(target_.size_max, size_t{page_size_of(target_, preset_)} * 4));
  if (target_.size_classes && target_.size_classes[0]) {
    for (const size_t* size = target_.size_classes; *size && *size <= largest; ++size) sizes_.push_back(static_cast<uint32_t>(*size));
  } else {
    for (uint32_t size = 1; size <= largest && size <= page_size_of(target_, preset_) / 2; size *= 2) {
      if (size >= smallest) sizes_.push_back(size);
    }
  }
  for (uint32_t size : {smallest, largest}) {
    if (std::find(sizes_.begin(), sizes_.end(), size) == sizes_.end()) sizes_.push_back(size);
  }
  if (has_device()) kinds_.insert(kinds_.end(), 3, MoveKind::kDevice);
  if (environment_.interrupts.max > 0 || has_device()) kinds_.insert(kinds_.end(), 3, MoveKind::kInterrupt);
  if (environment_.cpus.max > 1) kinds_.insert(kinds_.end(), 2, MoveKind::kGo);
  kinds_.insert(kinds_.end(), 2, MoveKind::kPreempt);
  if (environment_.migration) kinds_.push_back(MoveKind::kMigrate);
}

// ---- bytes to values

uint32_t ByteCodec::size(uint8_t byte) const {
  const uint32_t size = sizes_[byte % sizes_.size()];
  const auto less = static_cast<uint32_t>(byte / sizes_.size()) % kSmaller;
  const uint32_t smallest = std::max<uint32_t>(static_cast<uint32_t>(target_.size_min), 1);
  return size - std::min(less, size - smallest);
}

// 0 is the standard value, and the others follow it.
uint64_t ByteCodec::knob(uint32_t number, uint8_t byte) const {
  const plait_knob& knob = target_.knobs[number];
  if (preset_ == Preset::kReal) return knob.real;
  const uint64_t values = knob.max - knob.min + 1;  // 0: all there are
  const uint64_t standard = knob.standard - knob.min;
  return knob.min + (values == 0 ? standard + byte : (standard + byte) % values);
}

void ByteCodec::header(std::span<const uint8_t> bytes, Scenario& scenario) const {
  scenario.cpus = within(environment_.cpus, at(bytes, kCpusAt));
  if (scenario.device.kind != environment_.device) scenario.device = DeviceSpec{};
  scenario.page_size = page_size_of(target_, preset_);
  scenario.pages = at(bytes, kPagesAt) ? at(bytes, kPagesAt) : kPagesPlenty;
  scenario.knobs.resize(knobs_);
  for (uint32_t i = 0; i < knobs_; ++i) scenario.knobs[i] = knob(i, at(bytes, kKnobsAt + i));
  scenario.tasks.resize(within(environment_.tasks, at(bytes, kTasksAt)));
  const size_t tasks_at = kKnobsAt + knobs_;
  for (uint32_t i = 0; i < scenario.tasks.size(); ++i) {
    const uint8_t byte = at(bytes, tasks_at + i);
    TaskSpec& task = scenario.tasks[i];
    task.cpu = CpuId{narrow((i + (byte & 0x7f)) % scenario.cpus)};
    task.pinned = !environment_.migration || (byte & 0x80) != 0;
    task.operations.clear();
  }
  scenario.lines.resize(within(environment_.interrupts, at(bytes, kLinesAt)));
  const size_t lines_at = tasks_at + environment_.tasks.max;
  for (uint32_t i = 0; i < scenario.lines.size(); ++i) {
    const uint8_t byte = at(bytes, lines_at + i);
    LineSpec& line = scenario.lines[i];
    line.cpu = static_cast<int>((byte & 0xfu) % (scenario.cpus + 1)) - 1;
    line.fires = 1 + (byte >> 4) % kFiresMax;
    line.vector = LineSpec::kNoVector;
    line.operations.clear();
  }
  if (has_device()) device_header(bytes, scenario);
}

OperationKind ByteCodec::free_kind(uint8_t byte) const {
  switch (byte >> 6) {
    case 1: return (target_.refuses & PLAIT_REFUSES_DOUBLE_FREE) ? OperationKind::kDoubleFree : OperationKind::kFree;
    case 2: return (target_.refuses & PLAIT_REFUSES_FOREIGN) ? OperationKind::kForeignFree : OperationKind::kFree;
    case 3: return (target_.refuses & PLAIT_REFUSES_INTERIOR) ? OperationKind::kInteriorFree : OperationKind::kFree;
    default: return OperationKind::kFree;
  }
}

void ByteCodec::add_operation(const Record& record, std::span<const uint8_t> bytes, Scenario& scenario) const {
  const auto tasks = static_cast<uint32_t>(scenario.tasks.size());
  const uint32_t contexts = tasks + own_lines(scenario);
  if ((record.tag & 3) == kAsks) {
    program(scenario, (record.tag >> 2) % tasks).push_back(request(record, scenario.device));
    return;
  }
  Operation operation;
  operation.slot = narrow(record.a % kSlots);
  if ((record.tag & 3) == kAllocates) {
    operation.kind = OperationKind::kAlloc;
    operation.size = size(record.c >= kOwnSize ? record.b : at(bytes, kSizesAt + record.b % kSizesOfScenario));
  } else {
    operation.kind = free_kind(record.b);
  }
  program(scenario, (record.tag >> 2) % contexts).push_back(operation);
}

// A free of a slot that nobody fills frees one that somebody does.
void ByteCodec::settle_frees(Scenario& scenario) const {
  std::bitset<kSlots> filled;
  each_program(scenario, [&](const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) filled[operation.slot] = filled[operation.slot] || operation.kind == OperationKind::kAlloc;
  });
  if (filled.none()) {
    each_program(scenario, [](std::vector<Operation>& operations) {
      std::erase_if(operations, [](const Operation& operation) { return !is_request(operation.kind); });
    });
    return;
  }
  each_program(scenario, [&](std::vector<Operation>& operations) {
    for (Operation& operation : operations) {
      while (!is_request(operation.kind) && !filled[operation.slot]) operation.slot = narrow((operation.slot + 1) % kSlots);
    }
  });
}

ContextId ByteCodec::anchor(uint32_t index, const Scenario& scenario) const {
  const auto lines = static_cast<uint32_t>(scenario.lines.size());
  if (index == 0) return {};
  const bool more = has_device() && index >= kMoreHandlerAnchors && index < kDeviceAnchors;
  if ((more || index >= kHandlerAnchors) && lines != 0) {
    const uint32_t number = more ? index - kMoreHandlerAnchors + kAnchors - kHandlerAnchors : index - kHandlerAnchors;
    return context(ContextKind::kIrq, number % lines, has_device() ? number / lines : number / lines % kActivations);
  }
  if (index >= kWorkerAnchors && index < kHandlerAnchors && workers_ != 0) {
    return context(ContextKind::kWorker, (index - kWorkerAnchors) % workers_);
  }
  if (index >= kDeviceAnchors && index < kWorkerAnchors && has_device()) {
    return context(ContextKind::kDevice, (index - kDeviceAnchors) % static_cast<uint32_t>(scenario.device.vectors.size()));
  }
  return context(ContextKind::kTask, (index - kTaskAnchors) % static_cast<uint32_t>(scenario.tasks.size()));
}

// The CPU that a context begins on; of a line that may go anywhere the first.
uint32_t ByteCodec::home(ContextId id, const Scenario& scenario) {
  switch (id.kind) {
    case ContextKind::kTask: return index(scenario.tasks[id.number].cpu);
    case ContextKind::kWorker: return id.number % scenario.cpus;
    case ContextKind::kIrq: return static_cast<uint32_t>(std::max(scenario.lines[id.number].cpu, 0));
    case ContextKind::kDevice: return static_cast<uint32_t>(std::max(scenario.device.vectors[id.number], 0));
    case ContextKind::kStart: return 0;
  }
  return 0;
}

// A preemption is mostly meant for the CPU that the anchor is on, and going elsewhere mostly for another one: other moves
// have bytes as well, but are seldom enabled.
Move ByteCodec::move(uint32_t number, ContextId anchor, const Scenario& scenario) const {
  const auto kinds = static_cast<uint32_t>(kinds_.size());
  const auto tasks = static_cast<uint32_t>(scenario.tasks.size());
  const auto lines = std::max<uint32_t>(static_cast<uint32_t>(scenario.lines.size()), 1);
  const uint32_t cpus = scenario.cpus;
  const uint32_t what = number / kinds;
  const auto cpu = [&](uint32_t away) { return CpuId{narrow((home(anchor, scenario) + away) % cpus)}; };
  Move move;
  move.kind = kinds_[number % kinds];
  switch (move.kind) {
    case MoveKind::kDevice: return device_move(what, scenario.device);
    case MoveKind::kGo: move.cpu = cpu(cpus == 1 ? 0 : (what % (2 * cpus - 1) + 1) % cpus); break;
    case MoveKind::kInterrupt:
      move.cpu = cpu(what % cpus);
      move.number = narrow(what / cpus % lines);
      break;
    case MoveKind::kPreempt: {
      const uint32_t who = what % (tasks + workers_);
      const uint32_t away = what / (tasks + workers_) % (cpus + 3);
      move.cpu = cpu(away < 3 ? 0 : away - 3);
      move.who = who < tasks ? context(ContextKind::kTask, who) : context(ContextKind::kWorker, who - tasks);
      break;
    }
    case MoveKind::kMigrate:
      move.who = context(ContextKind::kTask, what % tasks);
      move.cpu = CpuId{narrow(what / tasks % cpus)};
      break;
  }
  return move;
}

Deviation ByteCodec::deviation(const Record& record, const Scenario& scenario) const {
  Deviation deviation;
  deviation.anchor = anchor(record.tag >> 2, scenario);
  const uint32_t range = record.b & 7;
  const uint32_t far = range == kFar ? 1 + ((record.b >> 3) & 7u) : 0;
  const uint32_t after = range <= kNear ? record.a % kNearSteps : record.a + (far << 8);
  if (deviation.anchor.kind != ContextKind::kStart) deviation.after = after;
  deviation.move = move(record.c | (record.b >> 6) << 8, deviation.anchor, scenario);
  return deviation;
}

void ByteCodec::decode(std::span<const uint8_t> bytes, Scenario& scenario, std::vector<Deviation>& schedule) const {
  header(bytes, scenario);
  schedule.clear();
  size_t records = 0;
  for (size_t i = header_bytes_; i + kRecordBytes <= bytes.size() && records < kRecordsMax; i += kRecordBytes, ++records) {
    const Record record{bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]};
    const uint32_t tag = record.tag & 3u;
    if (tag == kDeviates || (tag == kAsks && !has_device())) {
      schedule.push_back(deviation(record, scenario));
    } else {
      add_operation(record, bytes, scenario);
    }
  }
  settle_frees(scenario);
}

// ---- values to bytes

// Fields that have no byte are found out at the end, because the bytes then mean something else.
bool ByteCodec::put_header(const Scenario& scenario, std::vector<uint8_t>& bytes) const {
  if (scenario.knobs.size() != knobs_ || scenario.tasks.size() > environment_.tasks.max ||
      scenario.device.kind != environment_.device || own_lines(scenario) > environment_.interrupts.max ||
      scenario.cpus == 0) {
    return false;
  }
  bytes.assign(header_bytes_, 0);
  bytes[kCpusAt] = narrow(scenario.cpus - environment_.cpus.min);
  bytes[kTasksAt] = narrow(scenario.tasks.size() - environment_.tasks.min);
  bytes[kLinesAt] = narrow(own_lines(scenario) - environment_.interrupts.min);
  bytes[kPagesAt] = narrow(scenario.pages == kPagesPlenty ? 0 : scenario.pages);
  for (uint32_t i = 0; i < knobs_; ++i) {
    uint32_t byte = 0;
    while (byte < 0xff && knob(i, narrow(byte)) != scenario.knobs[i]) ++byte;
    bytes[kKnobsAt + i] = narrow(byte);
  }
  const size_t tasks_at = kKnobsAt + knobs_;
  for (uint32_t i = 0; i < scenario.tasks.size(); ++i) {
    const TaskSpec& task = scenario.tasks[i];
    const uint32_t turned = (index(task.cpu) + kCpusMax * scenario.cpus - i % scenario.cpus) % scenario.cpus;
    bytes[tasks_at + i] = narrow(turned | (task.pinned && environment_.migration ? 0x80 : 0));
  }
  const size_t lines_at = tasks_at + environment_.tasks.max;
  if (has_device()) put_device(scenario, bytes);
  for (uint32_t i = 0; i < own_lines(scenario); ++i) {
    const LineSpec& line = scenario.lines[i];
    bytes[lines_at + i] = narrow(static_cast<uint32_t>(line.cpu + 1) | (line.fires - 1) << 4);
  }
  return true;
}

void ByteCodec::put_operations(const Scenario& scenario, std::vector<uint8_t>& bytes) const {
  uint32_t known = 0;
  const auto byte_of = [&](uint32_t wanted) {
    uint32_t byte = 0;
    while (byte < 0xff && size(narrow(byte)) != wanted) ++byte;
    return narrow(byte);
  };
  const auto put = [&](uint32_t context, const Operation& operation) {
    if (is_request(operation.kind)) return put_request(context, operation, bytes);
    Record record{narrow(context << 2 | kFrees), operation.slot, narrow(static_cast<uint32_t>(operation.kind) - 1), 0};
    if (operation.kind != OperationKind::kAlloc) record.b = narrow(record.b << 6);
    if (operation.kind == OperationKind::kAlloc) {
      const uint8_t byte = byte_of(operation.size);
      uint32_t which = 0;
      while (which < known && bytes[kSizesAt + which] != byte) ++which;
      if (which == known && known < kSizesOfScenario) bytes[kSizesAt + known++] = byte;
      record = {narrow(context << 2 | kAllocates), operation.slot, narrow(which), 0};
      if (which == kSizesOfScenario) record = {record.tag, record.a, byte, kOwnSize};
    }
    bytes.insert(bytes.end(), {record.tag, record.a, record.b, record.c});
  };
  const auto tasks = static_cast<uint32_t>(scenario.tasks.size());
  for (uint32_t i = 0; i < tasks; ++i) {
    for (const Operation& operation : scenario.tasks[i].operations) put(i, operation);
  }
  for (uint32_t i = 0; i < own_lines(scenario); ++i) {
    for (const Operation& operation : scenario.lines[i].operations) put(tasks + i, operation);
  }
}

bool ByteCodec::put_deviation(const Deviation& wanted, const Scenario& scenario, std::vector<uint8_t>& bytes) const {
  const uint32_t far = wanted.after >> 8;
  uint32_t context = 0;
  uint32_t number = 0;
  while (context < kAnchors && anchor(context, scenario) != wanted.anchor) ++context;
  while (context < kAnchors && number < kMoves && move(number, wanted.anchor, scenario) != wanted.move) ++number;
  if (context == kAnchors || number == kMoves || far > 8) return false;
  const uint32_t steps = far != 0 ? kFar | (far - 1) << 3 : wanted.after < kNearSteps ? 0 : kNear + 1;
  bytes.insert(bytes.end(), {narrow(context << 2 | kDeviates), narrow(wanted.after), narrow(steps | number >> 8 << 6), narrow(number)});
  return true;
}

std::optional<std::vector<uint8_t>> ByteCodec::encode(const Scenario& scenario, const std::vector<Deviation>& schedule) const {
  std::vector<uint8_t> bytes;
  if (!put_header(scenario, bytes)) return std::nullopt;
  put_operations(scenario, bytes);
  for (const Deviation& deviation : schedule) {
    if (!put_deviation(deviation, scenario, bytes)) return std::nullopt;
  }
  Scenario meant;
  std::vector<Deviation> deviations;
  decode(bytes, meant, deviations);
  if (meant != scenario || deviations != schedule) return std::nullopt;
  return bytes;
}

}  // namespace plait
