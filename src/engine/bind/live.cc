// SPDX-License-Identifier: Apache-2.0
//
// A live run as Python drives it. Its mistakes are plait.live's to refuse; what gets here anyway raises ValueError.
#include "bind/live.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "base/names.h"
#include "bind/convert.h"
#include "bind/target.h"
#include "live/live.h"

namespace nb = nanobind;

namespace plait {
namespace {

const char* state_name(const Context& context) {
  switch (context.state) {
    case ContextState::kUnused:
    case ContextState::kFinished: return "idle";
    case ContextState::kBlocked: return "blocked";
    case ContextState::kReady: break;
  }
  return context.spinning ? "spinning" : "ready";
}

nb::dict costs_to_python(const Costs& costs) {
  CostSummary summary;
  summary.add(costs);
  return to_python(summary);
}

class PythonLive {
 public:
  PythonLive(Target& target, nb::dict scenario, nb::handle limits)
      : target_(target), live_(machine(), scenario_from(scenario, target.declaration()), limits_from(limits)) {}

  void start(uint32_t task, nb::dict operation) {
    live_.add(task_of(task), operation_from(operation, target_.declaration()));
  }

  // The line's number. It fires when it is told to, and never otherwise.
  size_t add_line(nb::dict line) {
    if (live_.scenario().lines.size() >= kLinesMax) throw nb::value_error("there are no more interrupt lines");
    if (live_.scenario().device.kind != DeviceKind::kNone) throw nb::value_error("the device's lines are the last");
    LineSpec spec = line_from(line, live_.scenario().cpus, target_.declaration());
    spec.fires = 0;
    live_.add_line(spec);
    return live_.scenario().lines.size() - 1;
  }

  // The last line, which has never fired.
  void drop_line() {
    if (live_.scenario().lines.empty() || live_.scenario().lines.back().fires != 0) {
      throw nb::value_error("the last line has fired");
    }
    live_.drop_line();
  }

  uint32_t steps(const std::string& who, int32_t count, uint8_t choice) {
    ContextId id;
    if (!parse(who, id)) throw nb::value_error(("no context is called \"" + who + "\"").c_str());
    uint32_t taken = 0;
    run_on(target_, [&] { taken = live_.steps(id, count, choice); });
    return taken;
  }

  uint32_t until_opening(const std::string& who, uint32_t nth) {
    ContextId id;
    if (!parse(who, id)) throw nb::value_error(("no context is called \"" + who + "\"").c_str());
    uint32_t taken = 0;
    run_on(target_, [&] { taken = live_.until_opening(id, nth); });
    return taken;
  }

  bool preempt(uint32_t task) {
    task_of(task);
    bool done = false;
    run_on(target_, [&] { done = live_.preempt(task); });
    return done;
  }

  bool interrupt(uint32_t line, uint32_t cpu) {
    if (line >= live_.scenario().lines.size()) throw nb::value_error("there is no such line");
    bool fired = false;
    run_on(target_, [&] { fired = live_.interrupt(line, cpu_of(cpu)); });
    return fired;
  }

  bool migrate(uint32_t task, uint32_t cpu) {
    const CpuId to = cpu_of(cpu);
    if (!live_.begun(task_of(task)) && live_.scenario().tasks[task].operations.empty()) {
      live_.place(task, to);
      return true;
    }
    bool moved = false;
    run_on(target_, [&] { moved = live_.migrate(task, to); });
    return moved;
  }

  void settle() {
    run_on(target_, [&] { live_.settle(); });
  }

  nb::dict outcome(bool detail) {
    Outcome end;
    run_on(target_, [&] { end = live_.outcome(detail); });
    return outcome_to_python(machine(), end, live_.limits(), detail);
  }

  nb::dict scenario() const { return to_python(live_.scenario(), target_.declaration()); }
  nb::dict verdict() const { return verdict_to_python(live_.last()); }
  nb::dict costs() const { return costs_to_python(live_.last().costs); }
  bool failed() const { return live_.failed(); }
  uint32_t dropped() const { return live_.dropped(); }

  // What the device may do instead of what it would do next by itself.
  std::vector<uint8_t> choices(uint32_t device) {
    std::vector<uint8_t> found(255);
    run_on(target_, [&] {
      live_.refresh();
      const std::span<Device* const> devices = machine().io().queues();
      const bool may = !live_.failed() && device < devices.size() && devices[device]->enabled();
      found.resize(may ? devices[device]->others(found) : 0);
    });
    return found;
  }

  // Lines that a device has raised and that have not fired since.
  std::vector<uint32_t> raised() {
    std::vector<uint32_t> found;
    run_on(target_, [&] {
      live_.refresh();
      for (uint32_t line = 0; line < live_.scenario().lines.size(); ++line) {
        if (machine().io().raised(line)) found.push_back(line);
      }
    });
    return found;
  }

  // Tasks that have nothing to do, and could begin at once.
  std::vector<uint32_t> at_hand() {
    std::vector<uint32_t> found;
    run_on(target_, [&] {
      live_.refresh();
      for (uint32_t task = 0; task < live_.scenario().tasks.size(); ++task) {
        if (live_.at_hand(task)) found.push_back(task);
      }
    });
    return found;
  }

  // (slot, address, bytes, holder, CPU of the allocation) of each live object.
  nb::list heap() {
    std::vector<Object> objects;
    std::vector<uint64_t> places;
    run_on(target_, [&] {
      live_.refresh();
      for (const Object& object : machine().objects().all()) {
        if (!object.live) continue;
        objects.push_back(object);
        places.push_back(machine().encode(object.address));
      }
    });
    nb::list list;
    for (size_t i = 0; i < objects.size(); ++i) {
      const Object& object = objects[i];
      const nb::object slot = object.by_driver ? nb::none() : nb::object(nb::int_(object.slot));
      list.append(nb::make_tuple(slot, places[i], object.size, std::string(full_name(object.holder)), index(object.cpu)));
    }
    return list;
  }

  // (name, CPU, state, steps, place in the code of the next step or 0) of tasks, workers and the last run of handlers.
  nb::list contexts() {
    struct Row {
      ContextId id;
      CpuId cpu;
      const char* state;
      uint32_t steps;
      uint64_t pc;
    };
    std::vector<Row> rows;
    run_on(target_, [&] {
      live_.refresh();
      for (const Context* context : machine().contexts()) {
        if (context->id.kind == ContextKind::kDevice) {
          rows.push_back({context->id, CpuId{}, machine().io().queues()[context->id.number]->enabled() ? "ready" : "idle", context->steps, 0});
          continue;
        }
        if (context->state == ContextState::kUnused) continue;
        const bool empty = context->id.kind == ContextKind::kTask &&
                           live_.scenario().tasks[context->id.number].operations.empty();
        const bool waits = context->state == ContextState::kReady || context->state == ContextState::kBlocked;
        const uint64_t pc = waits ? machine().relative(context->pending.pc) : 0;
        rows.push_back({context->id, context->cpu, empty ? "idle" : state_name(*context), context->steps, pc});
      }
    });
    nb::list list;
    for (const Row& row : rows) {
      const nb::object cpu = row.id.kind == ContextKind::kDevice ? nb::none() : nb::object(nb::int_(index(row.cpu)));
      list.append(nb::make_tuple(std::string(full_name(row.id)), cpu, row.state, row.steps, row.pc));
    }
    return list;
  }

 private:
  uint32_t task_of(uint32_t task) const {
    if (task >= live_.scenario().tasks.size()) throw nb::value_error("there is no such task");
    return task;
  }
  CpuId cpu_of(uint32_t cpu) const {
    if (cpu >= live_.scenario().cpus) throw nb::value_error("there is no such CPU");
    return CpuId{static_cast<uint8_t>(cpu)};
  }

  Target& target_;
  Live live_;
};

}  // namespace

void add_live(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<PythonLive>(module, "Live")
      .def(nb::init<Target&, nb::dict, nb::handle>(), "target"_a, "scenario"_a, "limits"_a = nb::none(), nb::keep_alive<1, 2>())
      .def("start", &PythonLive::start, "task"_a, "operation"_a)
      .def("add_line", &PythonLive::add_line, "line"_a)
      .def("drop_line", &PythonLive::drop_line)
      .def("steps", &PythonLive::steps, "context"_a, "count"_a, "choice"_a = 0)
      .def("until_opening", &PythonLive::until_opening, "context"_a, "nth"_a)
      .def("choices", &PythonLive::choices, "device"_a)
      .def("at_hand", &PythonLive::at_hand)
      .def("raised", &PythonLive::raised)
      .def("preempt", &PythonLive::preempt, "task"_a)
      .def("interrupt", &PythonLive::interrupt, "line"_a, "cpu"_a)
      .def("migrate", &PythonLive::migrate, "task"_a, "cpu"_a)
      .def("settle", &PythonLive::settle)
      .def("outcome", &PythonLive::outcome, "detail"_a = false)
      .def("heap", &PythonLive::heap)
      .def("contexts", &PythonLive::contexts)
      .def_prop_ro("scenario", &PythonLive::scenario)
      .def_prop_ro("verdict", &PythonLive::verdict)
      .def_prop_ro("costs", &PythonLive::costs)
      .def_prop_ro("failed", &PythonLive::failed)
      .def_prop_ro("dropped", &PythonLive::dropped);
}

}  // namespace plait
