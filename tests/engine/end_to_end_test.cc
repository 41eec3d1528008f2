// SPDX-License-Identifier: Apache-2.0
//
// From a source file to a replayed failure without Python: the target `original`, compiled here and now, searched in
// all four environments. What the sanitizers, other compilers and other processors see of the whole engine is this.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <set>

#include "expect.h"
#include "folder.h"
#include "search/search.h"
#include "strategy/registry.h"
#include "strategy/replay.h"
#include "tsan/binding.h"

using namespace plait;

namespace {

constexpr uint64_t kSeed = 3;
constexpr uint64_t kExecutions = 4000;  // of each environment and strategy
constexpr int kReplays = 1000;

// The environments of src/plait/environment.py.
constexpr Environment kUp{{1, 1}, {2, 2}, {0, 0}, false};
constexpr Environment kUpIrq{{1, 1}, {2, 2}, {1, 2}, false};
constexpr Environment kSmp{{2, 3}, {2, 4}, {0, 0}, true};
constexpr Environment kSmpIrq{{2, 3}, {2, 4}, {1, 2}, true};

int shell(const std::string& command) { return std::system(command.c_str()); }

std::string compiler() {
  const char* const named = std::getenv("PLAIT_CXX");
  return named ? named : "c++";
}

// The flags of src/plait/compilers.py.
std::string flags_of(const std::string& cxx) {
  const bool clang = shell(cxx + " -dM -E -x c++ /dev/null | grep -q __clang__") == 0;
  return std::string(" -std=c++20 -O1 -g -fPIC -fvisibility=hidden -fno-omit-frame-pointer "
                     "-fno-optimize-sibling-calls -fsanitize=thread") +
         (clang ? " -mllvm -tsan-distinguish-volatile=1 -mllvm -tsan-instrument-read-before-write=1"
                  " -mllvm -tsan-instrument-func-entry-exit=0"
                : " -fno-gnu-unique --param=tsan-distinguish-volatile=1 --param=tsan-instrument-func-entry-exit=0"
                  " -fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset");
}

// The path of the target as a shared object; the process ends when it cannot be built.
std::string build_original(const std::string& folder) {
  const std::string cxx = compiler();
  const std::string object = folder + "/pool.o";
  const std::string module = folder + "/original.so";
  const std::string engine = expect::g_repository + "/src/engine";
  std::string link = cxx + " -shared -Wl,-Bsymbolic -Wl,-z,defs";
  std::ifstream wraps(engine + "/tsan/runtime/wrap.txt");
  for (std::string symbol; std::getline(wraps, symbol);) link += " -Wl,--wrap=" + symbol;
  link += " " + object + " -Wl,--whole-archive " + expect::g_archives + "/libplait_rt.a -Wl,--no-whole-archive -o " + module;
  const std::string compile = cxx + flags_of(cxx) + " -I " + engine + "/include -c " + expect::g_repository +
                              "/targets/original/pool.cc -o " + object;
  if (shell(compile) != 0 || shell(link) != 0) {
    std::fprintf(stderr, "%s\n%s\nfailed\n", compile.c_str(), link.c_str());
    std::exit(2);
  }
  return module;
}

// One machine and one target for all tests of the process, as in the Python module.
struct Bench {
  const Folder folder{"end_to_end_test"};
  Machine machine{process_hot()};
  NativeTarget target{build_original(folder.path), bind_runtime(machine)};
  Bench() {
    machine.set_target(image_of(target));
    machine.set_thread_locals(target.tls());
  }
  ~Bench() { machine.set_target(TargetImage{}); }
};
Bench& bench() {
  static Bench instance;
  return instance;
}

struct Searched {
  SearchCounters counters;
  std::vector<Finding> findings;
};

Searched search(const Environment& environment, std::string_view strategy, Preset preset = Preset::kSmall) {
  SearchOptions options;
  options.environment = environment;
  options.strategy = strategy;
  options.seed = kSeed;
  options.preset = preset;
  options.executions = kExecutions;
  options.stop_on_failure = false;
  // A sanitizer or an emulator makes everything slower, and a hang is told by CPU time.
  options.limits.hang_ms = 10000;
  Search search(bench().machine, bench().target.declaration(), options);
  Searched result;
  while (!search.done()) {
    for (Finding& finding : search.step(0.05)) result.findings.push_back(std::move(finding));
  }
  result.counters = search.counters();
  return result;
}

// Runs the finding again, from the scenario on; the hash of its trace, or nothing when it came out differently.
std::optional<uint64_t> replayed(const Finding& finding, bool reload) {
  Machine& machine = bench().machine;
  Limits limits;
  limits.hang_ms = 10000;
  limits.shared_stacks = finding.outcome.shared_stacks;
  if (reload) machine.load(finding.scenario, limits);
  Replay replay{finding.schedule};
  const Outcome outcome = machine.run(replay, 0, {limits, true, false});
  if (outcome.verdict != VerdictKind::kFailed || outcome.failure.kind != finding.outcome.failure.kind) return {};
  if (replay.dropped() != 0 || machine.schedule() != finding.schedule) return {};
  return machine.recorder().hash();
}

void expect_sound(const char* name, const Environment& environment) {
  for (const std::string_view strategy : strategy_names()) {
    const Searched result = search(environment, strategy);
    EXPECT_EQ(result.counters.executions, kExecutions);
    EXPECT_EQ(result.counters.failures, 0u);
    EXPECT_EQ(result.counters.gave_up, 0u);
    EXPECT(result.counters.behaviours > kExecutions / 100);
    for (const Finding& finding : result.findings) {
      std::fprintf(stderr, "  %s: %s\n", name, finding.outcome.failure.message.c_str());
    }
  }
}

void expect_failures(const Environment& environment) {
  for (const std::string_view strategy : strategy_names()) {
    const Searched result = search(environment, strategy);
    EXPECT(result.counters.failures > 0);
    bool handed_out_twice = false;
    for (const Finding& finding : result.findings) {
      handed_out_twice = handed_out_twice || finding.outcome.failure.kind == FailureKind::kDoubleAllocation;
      EXPECT(!finding.outcome.failure.message.empty());
      EXPECT(replayed(finding, true) == finding.trace_hash);
      EXPECT(replayed(finding, false) == finding.trace_hash);
    }
    EXPECT(handed_out_twice);
  }
}

}  // namespace

TEST(nothing_is_found_where_no_interrupt_handler_allocates) {
  expect_sound("up", kUp);
  expect_sound("smp", kSmp);
}

TEST(failures_are_found_where_handlers_allocate_on_one_cpu) { expect_failures(kUpIrq); }

TEST(failures_are_found_where_handlers_allocate_on_several_cpus) { expect_failures(kSmpIrq); }

TEST(real_sizes_run_and_find_nothing_without_interrupts) {
  EXPECT_EQ(search(kSmp, "random", Preset::kReal).counters.failures, 0u);
}

TEST(one_failure_replayed_a_thousand_times_has_one_trace_hash) {
  const Searched result = search(kUpIrq, "random");
  EXPECT(!result.findings.empty());
  if (result.findings.empty()) return;
  const Finding& finding = result.findings.front();
  std::set<std::optional<uint64_t>> hashes;
  for (int i = 0; i < kReplays; ++i) hashes.insert(replayed(finding, i % 2 == 0));
  EXPECT_EQ(hashes.size(), 1u);
  EXPECT(*hashes.begin() == finding.trace_hash);
}

TEST(a_second_search_with_the_same_seed_is_the_same_search) {
  const Searched first = search(kSmpIrq, "pct");
  const Searched second = search(kSmpIrq, "pct");
  EXPECT_EQ(first.counters.steps, second.counters.steps);
  EXPECT_EQ(first.counters.behaviours, second.counters.behaviours);
  EXPECT_EQ(first.counters.failures, second.counters.failures);
  EXPECT_EQ(first.findings.size(), second.findings.size());
  for (size_t i = 0; i < first.findings.size() && i < second.findings.size(); ++i) {
    EXPECT_EQ(first.findings[i].execution, second.findings[i].execution);
    EXPECT_EQ(first.findings[i].trace_hash, second.findings[i].trace_hash);
  }
}
