// SPDX-License-Identifier: Apache-2.0
#include "bind/fuzzer.h"

#include <dlfcn.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdlib>
#include <unordered_set>

#include "bind/convert.h"
#include "bind/finding.h"
#include "bind/target.h"
#include "fiber/crash.h"
#include "search/bytes.h"
#include "strategy/replay.h"

namespace nb = nanobind;

namespace plait {
namespace {

using UserCallback = int (*)(const uint8_t* data, size_t size);
using RunDriver = int (*)(int* argc, char*** argv, UserCallback callback);
using CountersInit = void (*)(uint8_t* begin, uint8_t* end);
using PcsInit = void (*)(const uintptr_t* begin, const uintptr_t* end);

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// How many tasks of its own the target starts where it may have the most CPUs.
uint32_t workers_of(Target& target, const SearchOptions& options) {
  Scenario scenario;
  std::vector<Deviation> schedule;
  ByteCodec{target.declaration(), options.environment, options.preset, 0}.decode({}, scenario, schedule);
  scenario.cpus = options.environment.cpus.max;
  uint32_t workers = 0;
  run_on(target, [&] {
    machine().load(scenario, options.limits);
    workers = machine().workers();
  });
  return workers;
}

class PythonCodec {
 public:
  PythonCodec(Target& target, nb::dict options) : PythonCodec(target, options_from(options)) {}

  nb::tuple decode(const nb::bytes& bytes) const {
    Scenario scenario;
    std::vector<Deviation> schedule;
    codec_.decode({static_cast<const uint8_t*>(bytes.data()), bytes.size()}, scenario, schedule);
    return nb::make_tuple(to_python(scenario, target_.declaration()), to_python(schedule));
  }

  nb::object encode(nb::dict scenario, nb::list schedule) const {
    const auto bytes = codec_.encode(scenario_from(scenario, target_.declaration()), schedule_from(schedule));
    return bytes ? nb::object(nb::bytes(bytes->data(), bytes->size())) : nb::none();
  }

  // As a search draws them.
  nb::dict generate(uint64_t seed, uint32_t operations) const {
    Prng prng{seed};
    return to_python(plait::generate(target_.declaration(), environment_, preset_, operations, true, prng), target_.declaration());
  }

  size_t header_bytes() const { return codec_.header_bytes(); }

 private:
  PythonCodec(Target& target, const SearchOptions& options)
      : target_(target), environment_(options.environment), preset_(options.preset),
        codec_(target.declaration(), environment_, preset_, workers_of(target, options)) {}

  Target& target_;
  Environment environment_;
  Preset preset_;
  ByteCodec codec_;
};

class PythonFuzzer {
 public:
  PythonFuzzer(Target& target, nb::dict options)
      : target_(target), options_(options_from(options)), limits_(options_.limits),
        codec_(target.declaration(), options_.environment, options_.preset, workers_of(target, options_)) {}

  // Comes back only when libFuzzer does, which mostly ends the process itself.
  int run(const std::string& library, std::vector<std::string> arguments, nb::object on_failure) {
    const RunDriver drive = find<RunDriver>(library, "LLVMFuzzerRunDriver");
    const auto counters_init = find<CountersInit>(library, "__sanitizer_cov_8bit_counters_init");
    const auto pcs_init = find<PcsInit>(library, "__sanitizer_cov_pcs_init");
    on_failure_ = on_failure;
    uint8_t* const counters = cover_.counters().data();
    counters_init(counters, counters + Cover::kCounters);
    for (uint32_t i = 0; i < Cover::kCounters; ++i) pcs_.insert(pcs_.end(), {uintptr_t{0x1000} + i, i == 0 ? 1u : 0u});
    pcs_init(pcs_.data(), pcs_.data() + pcs_.size());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int argc = static_cast<int>(arguments.size());
    char** arguments_of = argv.data();
    CrashGuard::uninstall();  // libFuzzer leaves handlers that are there alone; ours come back, before its own, with the next run
    running_ = this;
    started_ = now();
    if (target_.runtime()) return drive(&argc, &arguments_of, callback);  // a model needs the interpreter all along
    const nb::gil_scoped_release released;
    return drive(&argc, &arguments_of, callback);
  }

 private:
  // A libFuzzer that was preloaded (with sanitizers, as OSS-Fuzz does) goes before that of atheris.
  template <typename Function>
  static Function find(const std::string& library, const char* name) {
    void* found = dlsym(RTLD_DEFAULT, name);
    if (!found) {
      void* const handle = dlopen(library.c_str(), RTLD_NOW);
      found = handle ? dlsym(handle, name) : nullptr;
    }
    if (!found) throw std::runtime_error(library + " has no " + name);
    return reinterpret_cast<Function>(found);
  }

  static int callback(const uint8_t* data, size_t size) {
    running_->execute({data, size});
    return 0;
  }

  void execute(std::span<const uint8_t> bytes) {
    codec_.decode(bytes, scenario_, schedule_);
    replay_.replace(schedule_);
    Outcome outcome;
    {
      const std::lock_guard lock(running());
      target_.use();
      load();
      machine().set_cover(&cover_);
      outcome = machine().run(replay_, 0, {limits_, false, false});
      machine().set_cover(nullptr);
      ++executions_;
      if (target_.runtime() && target_.runtime()->take_interrupt()) std::abort();
      if (outcome.verdict != VerdictKind::kFailed || !causes_.insert(outcome.cause).second) return;
      keep(outcome);
    }
    if (reported()) std::abort();  // libFuzzer's handler writes the artifact and ends the process
  }

  // Mostly only the programs differ from the last time, and then init need not run again.
  void load() {
    const Scenario& there = machine().scenario();
    const bool known = loads_ != 0 && machine().loads() == loads_ && there.cpus == scenario_.cpus && there.pages == scenario_.pages &&
                       there.knobs == scenario_.knobs && there.tasks.size() == scenario_.tasks.size() &&
                       there.device == scenario_.device;
    if (known) return machine().set_programs(scenario_);
    machine().load(scenario_, limits_);
    loads_ = machine().loads();
  }

  // As a search does: what a replay needs, and the hash that it has to come to.
  void keep(const Outcome& outcome) {
    finding_.outcome = outcome;
    finding_.scenario = machine().scenario();
    finding_.schedule = machine().schedule();
    finding_.execution = executions_;
    finding_.seconds = now() - started_;
    Replay replay{finding_.schedule};
    Limits limits = limits_;
    limits.shared_stacks = outcome.shared_stacks;
    machine().run(replay, 0, {limits, true, false});
    finding_.trace_hash = machine().recorder().hash();
  }

  // Whether to stop.
  bool reported() {
    const nb::gil_scoped_acquire acquired;
    try {
      return nb::cast<bool>(on_failure_(to_python(finding_, target_.declaration(), limits_)));
    } catch (nb::python_error& error) {
      error.restore();
      PyErr_Print();
      return true;
    }
  }

  static inline PythonFuzzer* running_ = nullptr;

  Target& target_;
  SearchOptions options_;
  Limits limits_;
  ByteCodec codec_;
  Cover cover_;
  std::vector<uintptr_t> pcs_;  // libFuzzer wants a place in code for each counter
  nb::object on_failure_;
  Scenario scenario_;
  std::vector<Deviation> schedule_;
  Replay replay_;
  Finding finding_;
  std::unordered_set<uint64_t> causes_;
  uint64_t loads_ = 0;
  uint64_t executions_ = 0;
  double started_ = 0;
};

}  // namespace

void add_fuzzer(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<PythonCodec>(module, "ByteCodec")
      .def(nb::init<Target&, nb::dict>(), "target"_a, "options"_a, nb::keep_alive<1, 2>())
      .def("decode", &PythonCodec::decode, "data"_a)
      .def("encode", &PythonCodec::encode, "scenario"_a, "schedule"_a)
      .def("generate", &PythonCodec::generate, "seed"_a, "operations"_a)
      .def_prop_ro("header_bytes", &PythonCodec::header_bytes);
  nb::class_<PythonFuzzer>(module, "Fuzzer")
      .def(nb::init<Target&, nb::dict>(), "target"_a, "options"_a, nb::keep_alive<1, 2>())
      .def("run", &PythonFuzzer::run, "library"_a, "arguments"_a, "on_failure"_a);
}

}  // namespace plait
