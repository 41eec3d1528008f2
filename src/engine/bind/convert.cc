// SPDX-License-Identifier: Apache-2.0
#include "bind/convert.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/names.h"
#include "bind/device.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace plait {
namespace {

constexpr std::array<std::string_view, 13> kOperationNames = {
    "alloc", "free", "double-free", "foreign-free", "interior-free", "read", "write", "flush", "send", "receive",
    "discard", "write-zeroes", "get-id"};

nb::str text(std::string_view view) { return nb::str(view.data(), view.size()); }

[[noreturn]] void fail(const std::string& message) { throw nb::value_error(message.c_str()); }

// The value as a T; `what` names it when it is of another type or does not fit.
template <typename T>
T as(nb::handle value, const std::string& what) {
  T result{};
  if (!nb::try_cast(value, result)) {
    fail(what + " is " + std::string(nb::repr(value).c_str()).substr(0, 60) + ", of a wrong type or out of range");
  }
  return result;
}

template <typename T>
T field(const nb::dict& object, const char* key) {
  if (!object.contains(key)) fail(std::string("missing key \"") + key + "\"");
  return as<T>(object[key], key);
}

template <typename T>
T field_or(const nb::dict& object, const char* key, T fallback) {
  if (!object.contains(key) || object[key].is_none()) return fallback;
  return as<T>(object[key], key);
}

ContextId context_from(const nb::dict& object, const char* key) {
  ContextId id;
  const auto name = field<std::string>(object, key);
  if (!parse(name, id)) fail("no context is called \"" + name + "\"");
  return id;
}

Operation one_operation(const nb::dict& object) {
  const auto name = field<std::string>(object, "op");
  const auto* found = std::find(kOperationNames.begin(), kOperationNames.end(), name);
  if (found == kOperationNames.end()) fail("no operation is called \"" + name + "\"");
  const auto kind = static_cast<OperationKind>(found - kOperationNames.begin());
  if (!is_request(kind)) return {kind, field<uint8_t>(object, "slot"), field_or<uint32_t>(object, "size", 0)};
  Operation request{kind};
  if (is_packet(kind)) {
    request.size = field<uint32_t>(object, "size");
    if (request.size < DeviceSpec::kEthernetBytes || request.size > DeviceSpec::kMtuMax + DeviceSpec::kEthernetBytes) {
      fail("a packet is too short or too long");
    }
    return request;
  }
  if (!has_sectors(kind)) return request;
  request.sector = field<uint32_t>(object, "sector");
  request.sectors = field<uint32_t>(object, "sectors");
  if (request.sectors == 0 || request.sectors > DeviceSpec::kRequestSectorsMax) fail("a request is for too many sectors");
  return request;
}

std::vector<Operation> operations_from(const nb::list& objects) {
  std::vector<Operation> operations;
  for (nb::handle item : objects) operations.push_back(one_operation(as<nb::dict>(item, "an element of a list")));
  return operations;
}

LineSpec one_line(const nb::dict& line) {
  return {field_or<int>(line, "cpu", LineSpec::kAnyCpu), field<uint32_t>(line, "fires"),
          operations_from(field<nb::list>(line, "ops")), LineSpec::kNoVector};
}

nb::list to_list(const std::vector<Operation>& operations) {
  nb::list list;
  for (const Operation& operation : operations) {
    nb::dict item;
    item["op"] = text(kOperationNames[static_cast<size_t>(operation.kind)]);
    if (!is_request(operation.kind)) item["slot"] = operation.slot;
    if (operation.kind == OperationKind::kAlloc || is_packet(operation.kind)) item["size"] = operation.size;
    if (has_sectors(operation.kind)) {
      item["sector"] = operation.sector;
      item["sectors"] = operation.sectors;
    }
    list.append(item);
  }
  return list;
}

bool within(uint64_t value, uint64_t low, uint64_t high) { return low <= value && value <= high; }

void require_size(const Operation& operation, const plait_target& target) {
  if (operation.kind == OperationKind::kAlloc && !within(operation.size, target.size_min ? target.size_min : 1, target.size_max)) {
    fail("the target takes no requests of " + std::to_string(operation.size) + " bytes");
  }
}

void require_line(const LineSpec& line, uint32_t cpus, const plait_target& target) {
  if (line.cpu < LineSpec::kAnyCpu || line.cpu >= static_cast<int>(cpus)) {
    fail("an interrupt line goes to CPU " + std::to_string(line.cpu) + ", which there is not");
  }
  if (line.fires > 1000) fail("an interrupt line fires more than 1000 times");
  for (const Operation& operation : line.operations) require_size(operation, target);
}

// What would break the machine, or blame the target for what it never promised.
void require_runnable(const Scenario& scenario, const plait_target& target) {
  if (!within(scenario.cpus, 1, kCpusMax) || scenario.tasks.size() > kTasksMax || scenario.lines.size() > kLinesMax) {
    fail("the scenario is larger than the machine");
  }
  if (!within(scenario.page_size, 256, 65536) || !std::has_single_bit(scenario.page_size)) {
    fail("page_size " + std::to_string(scenario.page_size) + " is not a power of two from 256 to 65536");
  }
  for (const TaskSpec& task : scenario.tasks) {
    if (index(task.cpu) >= scenario.cpus) fail("a task is on CPU " + std::to_string(index(task.cpu)) + ", which there is not");
    for (const Operation& operation : task.operations) require_size(operation, target);
  }
  for (const LineSpec& line : scenario.lines) require_line(line, scenario.cpus, target);
  for (size_t i = 0; i < scenario.knobs.size(); ++i) {
    const plait_knob& knob = target.knobs[i];
    if (!within(scenario.knobs[i], knob.min, knob.max) && scenario.knobs[i] != knob.real) {
      fail(std::string("knob ") + knob.name + " cannot be " + std::to_string(scenario.knobs[i]));
    }
  }
}

}  // namespace

Scenario scenario_from(nb::dict object, const plait_target& target) {
  Scenario scenario;
  scenario.cpus = field<uint32_t>(object, "cpus");
  scenario.page_size = field<uint32_t>(object, "page_size");
  scenario.pages = field<uint32_t>(object, "pages");
  const auto knobs = field<nb::dict>(object, "knobs");
  size_t known = 0;
  for (const plait_knob* knob = target.knobs; knob && knob->name; ++knob) {
    known += knobs.contains(knob->name) ? 1 : 0;
    scenario.knobs.push_back(field_or<uint64_t>(knobs, knob->name, knob->standard));
  }
  if (known != knobs.size()) fail("the scenario sets a knob that the target does not have");
  for (nb::handle item : field<nb::list>(object, "tasks")) {
    const auto task = as<nb::dict>(item, "a task");
    scenario.tasks.push_back({CpuId{field<uint8_t>(task, "cpu")}, field<bool>(task, "pinned"),
                              operations_from(field<nb::list>(task, "ops"))});
  }
  for (nb::handle item : field<nb::list>(object, "interrupts")) {
    scenario.lines.push_back(one_line(as<nb::dict>(item, "an interrupt line")));
  }
  if (object.contains("device")) add_device(scenario, as<nb::dict>(object["device"], "the device"));
  require_runnable(scenario, target);
  return scenario;
}

Operation operation_from(nb::dict object, const plait_target& target) {
  const Operation operation = one_operation(object);
  require_size(operation, target);
  return operation;
}

LineSpec line_from(nb::dict object, uint32_t cpus, const plait_target& target) {
  LineSpec line = one_line(object);
  require_line(line, cpus, target);
  return line;
}

nb::dict to_python(const Scenario& scenario, const plait_target& target) {
  nb::dict object, knobs;
  for (size_t i = 0; target.knobs && target.knobs[i].name; ++i) knobs[target.knobs[i].name] = scenario.knobs.at(i);
  nb::list tasks, lines;
  for (const TaskSpec& task : scenario.tasks) {
    nb::dict item;
    item["cpu"] = index(task.cpu);
    item["pinned"] = task.pinned;
    item["ops"] = to_list(task.operations);
    tasks.append(item);
  }
  for (const LineSpec& line : scenario.lines) {
    if (line.vector != LineSpec::kNoVector) continue;  // the device's
    nb::dict item;
    if (line.cpu == LineSpec::kAnyCpu) {
      item["cpu"] = nb::none();
    } else {
      item["cpu"] = line.cpu;
    }
    item["fires"] = line.fires;
    item["ops"] = to_list(line.operations);
    lines.append(item);
  }
  object["cpus"] = scenario.cpus;
  object["page_size"] = scenario.page_size;
  object["pages"] = scenario.pages;
  object["knobs"] = knobs;
  object["tasks"] = tasks;
  object["interrupts"] = lines;
  if (scenario.device.kind != DeviceKind::kNone) object["device"] = to_python(scenario.device);
  return object;
}

std::vector<Deviation> schedule_from(nb::list objects) {
  std::vector<Deviation> schedule;
  for (nb::handle item : objects) {
    const auto object = as<nb::dict>(item, "an element of a list");
    Deviation deviation;
    deviation.anchor = context_from(object, "context");
    deviation.after = field<uint32_t>(object, "after");
    const auto move = field<std::string>(object, "move");
    if (!parse(move, deviation.move.kind)) fail("no move is called \"" + move + "\"");
    deviation.move.cpu = CpuId{field_or<uint8_t>(object, "cpu", 0)};
    switch (deviation.move.kind) {
      case MoveKind::kGo: break;
      case MoveKind::kInterrupt: deviation.move.number = field<uint8_t>(object, "line"); break;
      case MoveKind::kPreempt: deviation.move.who = context_from(object, "to"); break;
      case MoveKind::kMigrate: deviation.move.who = context_from(object, "who"); break;
      case MoveKind::kDevice:
        deviation.move.number = field<uint8_t>(object, "device");
        deviation.move.choice = field_or<uint8_t>(object, "choice", 0);
        break;
    }
    schedule.push_back(deviation);
  }
  return schedule;
}

nb::list to_python(const std::vector<Deviation>& schedule) {
  nb::list list;
  for (const Deviation& deviation : schedule) {
    nb::dict item;
    item["context"] = std::string(full_name(deviation.anchor));
    item["after"] = deviation.after;
    item["move"] = text(name(deviation.move.kind));
    if (deviation.move.kind != MoveKind::kDevice) item["cpu"] = index(deviation.move.cpu);
    switch (deviation.move.kind) {
      case MoveKind::kGo: break;
      case MoveKind::kInterrupt: item["line"] = deviation.move.number; break;
      case MoveKind::kPreempt: item["to"] = std::string(full_name(deviation.move.who)); break;
      case MoveKind::kMigrate: item["who"] = std::string(full_name(deviation.move.who)); break;
      case MoveKind::kDevice:
        item["device"] = deviation.move.number;
        if (deviation.move.choice != 0) item["choice"] = deviation.move.choice;
        break;
    }
    list.append(item);
  }
  return list;
}

nb::dict verdict_to_python(const Outcome& outcome) {
  nb::dict object;
  object["verdict"] = text(name(outcome.verdict));
  if (outcome.verdict == VerdictKind::kGaveUp) object["reason"] = text(name(outcome.give_up));
  if (outcome.verdict != VerdictKind::kFailed) return object;
  object["kind"] = text(name(outcome.failure.kind));
  object["message"] = outcome.failure.message;
  nb::list evidence;
  for (const Evidence& piece : outcome.failure.evidence) {
    nb::dict item;
    item["what"] = piece.what;
    if (piece.has_context) item["context"] = std::string(full_name(piece.context));
    if (piece.cpu >= 0) item["cpu"] = piece.cpu;
    if (piece.pc) item["pc"] = piece.pc;
    if (piece.has_address) item["address"] = piece.address;
    evidence.append(item);
  }
  object["evidence"] = evidence;
  return object;
}

nb::dict outcome_to_python(Machine& machine, const Outcome& outcome, const Limits& limits, bool detail) {
  nb::dict result;
  result["verdict"] = verdict_to_python(outcome);
  result["trace_hash"] = machine.recorder().hash();
  result["steps"] = outcome.steps;
  result["accesses"] = outcome.accesses;
  result["dropped_deviations"] = 0;
  result["skipped_operations"] = outcome.skipped_operations;
  result["schedule"] = to_python(machine.schedule());
  result["limits"] = to_python(limits, outcome);
  result["contexts"] = context_names(machine);
  if (detail) result["events"] = events_to_python(machine);
  if (detail) result["rings"] = rings_to_python(machine);
  return result;
}

nb::list context_names(const Machine& machine) {
  nb::list names;
  for (uint32_t slot = 0; slot < Machine::kContexts; ++slot) names.append(std::string(machine.context_name(static_cast<int>(slot))));
  return names;
}

nb::list events_to_python(const Machine& machine) {
  nb::list list;
  for (const Event& event : machine.recorder().events()) {
    nb::object value = event.has_value ? nb::object(nb::int_(event.value)) : nb::none();
    nb::object argument = event.has_arg ? nb::object(nb::int_(event.arg)) : nb::none();
    list.append(nb::make_tuple(event.context, event.cpu, text(name(event.kind)), event.address, event.size, value,
                               event.pc, argument));
  }
  return list;
}

nb::dict to_python(const CostSummary& costs) {
  nb::dict object;
  object["executions"] = costs.executions;
  object["operations"] = costs.total.operations;
  object["steps"] = costs.total.steps;
  object["steps_worst"] = costs.total.steps_worst;
  object["irq_off_worst"] = costs.total.irq_off_worst;
  object["preempt_off_worst"] = costs.total.preempt_off_worst;
  object["spins"] = costs.total.spins;
  object["waits"] = costs.total.waits;
  object["transfers"] = costs.total.transfers;
  object["deferred_idle"] = costs.total.deferred_idle;
  object["pages_peak"] = costs.total.pages_peak;
  object["pages_idle"] = costs.total.pages_idle;
  return object;
}

SearchOptions options_from(nb::dict object) {
  SearchOptions options;
  const auto environment = field<nb::dict>(object, "environment");
  const auto range = [&](const char* key) {
    const auto pair = nb::cast<nb::sequence>(environment[key]);
    return Range{nb::cast<uint32_t>(pair[0]), nb::cast<uint32_t>(pair[1])};
  };
  const auto fits = [](Range range, uint32_t low, uint32_t high) {
    return low <= range.min && range.min <= range.max && range.max <= high;
  };
  if (!fits(range("cpus"), 1, kCpusMax) || !fits(range("tasks"), 1, kTasksMax) || !fits(range("interrupts"), 0, kLinesMax)) {
    fail("the environment is larger than the machine");
  }
  options.environment = {range("cpus"), range("tasks"), range("interrupts"), field<bool>(environment, "migration"),
                         device_kind(field_or<std::string>(environment, "device", ""))};
  options.strategy = field_or<std::string>(object, "strategy", options.strategy);
  options.seed = field_or<uint64_t>(object, "seed", 0);
  options.preset = field_or<std::string>(object, "preset", "small") == "real" ? Preset::kReal : Preset::kSmall;
  options.executions = field_or<uint64_t>(object, "executions", 0);
  options.schedules_per_scenario = field_or<uint32_t>(object, "schedules_per_scenario", options.schedules_per_scenario);
  options.operations_max = field_or<uint32_t>(object, "operations_max", 0);
  options.by_cut = field_or<bool>(object, "by_cut", false);
  options.stop_on_failure = field_or<bool>(object, "stop_on_failure", true);
  options.limits = limits_from(object.contains("limits") ? nb::object(object["limits"]) : nb::none());
  return options;
}

}  // namespace plait
