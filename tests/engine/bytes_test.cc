// SPDX-License-Identifier: Apache-2.0
//
// Every byte string means something that the machine can run, and what bytes can mean they can be made from. And the
// counters that lead a fuzzer: they tell executions apart by who met whom, and count the same in the same execution.
#include "search/bytes.h"

#include <algorithm>
#include <numeric>

#include "check/cover.h"
#include "expect.h"
#include "strategy/replay.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

namespace {

uint64_t ring = 0;
uint64_t threshold = 0;
const size_t classes[] = {16, 32, 64, 2048, 1u << 20, 0};
const plait_knob knobs[] = {{"ring", &ring, 1, 4, 2, 256, "entries"}, {"threshold", &threshold, 0, ~uint64_t{0}, 7, 7, ""}, {}};

plait_target declared() {
  plait_target target{};
  target.size_min = 9;
  target.size_max = 4096;
  target.size_classes = classes;
  target.knobs = knobs;
  target.refuses = PLAIT_REFUSES_DOUBLE_FREE;
  return target;
}

const Environment kEnvironments[] = {
    {{1, 1}, {2, 2}, {0, 0}, false}, {{1, 1}, {2, 2}, {1, 2}, false}, {{2, 3}, {2, 4}, {1, 2}, true}, {{8, 8}, {16, 16}, {8, 8}, true},
    {{1, 3}, {1, 3}, {0, 0}, true, DeviceKind::kBlock}, {{2, 2}, {1, 1}, {5, 5}, false, DeviceKind::kBlock},
    {{1, 3}, {1, 3}, {0, 0}, true, DeviceKind::kNet}};

std::vector<uint8_t> some_bytes(Prng& prng) {
  std::vector<uint8_t> bytes(prng.below(200));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(prng.one_in(4) ? 0xff : prng.below(256));
  return bytes;
}

// A chain of header, data and status fits the queue.
bool has_room(const DeviceSpec& device, const Operation& operation) {
  if (device.kind == DeviceKind::kNet) {
    return is_packet(operation.kind) && operation.size >= 14 && operation.size <= device.mtu + 14 && device.vectors.size() == 2;
  }
  const bool in_range = !has_sectors(operation.kind) ||
                        (operation.sectors >= 1 && operation.sectors <= 4 && operation.sector < device.sectors);
  return device.kind != DeviceKind::kNone && in_range && (device.indirect || operation.sectors + 2 <= device.queue_size);
}

bool runnable(const Scenario& scenario, const Environment& environment, const plait_target& target) {
  const auto in = [](uint64_t value, Range range) { return range.min <= value && value <= range.max; };
  const size_t queues = scenario.device.vectors.size();
  bool fine = in(scenario.cpus, environment.cpus) && in(scenario.tasks.size(), environment.tasks) &&
              in(scenario.lines.size() - queues, environment.interrupts) && scenario.pages >= 1 && scenario.knobs.size() == 2;
  fine = fine && in(scenario.knobs[0], {1, 4});
  uint64_t filled = 0;
  const auto look = [&](const std::vector<Operation>& operations, bool at_frees) {
    for (const Operation& operation : operations) {
      if (is_request(operation.kind)) {
        fine = fine && has_room(scenario.device, operation);
      } else if (operation.kind == OperationKind::kAlloc) {
        filled |= uint64_t{1} << operation.slot;
        fine = fine && operation.size >= target.size_min && operation.size <= target.size_max;
      } else if (at_frees) {
        fine = fine && (filled >> operation.slot & 1);
        fine = fine && (operation.kind == OperationKind::kFree || operation.kind == OperationKind::kDoubleFree);
      }
    }
  };
  for (const bool at_frees : {false, true}) {
    for (const TaskSpec& task : scenario.tasks) look(task.operations, at_frees);
    for (const LineSpec& line : scenario.lines) look(line.operations, at_frees);
  }
  for (const TaskSpec& task : scenario.tasks) fine = fine && index(task.cpu) < scenario.cpus && (task.pinned || environment.migration);
  for (const LineSpec& line : scenario.lines) fine = fine && line.cpu < static_cast<int>(scenario.cpus) && (line.fires >= 1) == (line.vector == LineSpec::kNoVector);
  return fine && (queues != 0) == (environment.device != DeviceKind::kNone) && scenario.lines.size() <= kLinesMax;
}

}  // namespace

TEST(every_byte_string_means_something_and_what_it_means_has_bytes) {
  const plait_target target = declared();
  Prng prng{1};
  Scenario scenario, again;
  std::vector<Deviation> schedule, schedule_again;
  for (const Environment& environment : kEnvironments) {
    for (const uint32_t workers : {0u, 3u}) {
      const ByteCodec codec{target, environment, Preset::kSmall, workers};
      for (int i = 0; i < 3000; ++i) {
        const std::vector<uint8_t> bytes = some_bytes(prng);
        codec.decode(bytes, scenario, schedule);
        EXPECT(runnable(scenario, environment, target));
        const auto made = codec.encode(scenario, schedule);
        EXPECT(made.has_value());
        if (!made) continue;
        codec.decode(*made, again, schedule_again);
        EXPECT(again == scenario && schedule_again == schedule);
      }
    }
  }
}

TEST(what_is_missing_is_the_smallest_and_the_usual) {
  const plait_target target = declared();
  const ByteCodec codec{target, kEnvironments[2], Preset::kSmall, 0};
  Scenario scenario;
  std::vector<Deviation> schedule;
  codec.decode({}, scenario, schedule);
  EXPECT_EQ(scenario.cpus, 2u);
  EXPECT_EQ(scenario.tasks.size(), 2u);
  EXPECT_EQ(scenario.knobs[0], 2u);
  EXPECT_EQ(scenario.knobs[1], 7u);
  EXPECT(scenario.tasks[0].operations.empty() && schedule.empty());
  EXPECT(index(scenario.tasks[1].cpu) == 1 && !scenario.tasks[1].pinned);
  const ByteCodec real{target, kEnvironments[2], Preset::kReal, 0};
  real.decode(std::vector<uint8_t>(40, 0xff), scenario, schedule);
  EXPECT_EQ(scenario.knobs[0], 256u);
  EXPECT_EQ(scenario.page_size, 4096u);
}

TEST(generated_scenarios_have_bytes_and_what_no_bytes_mean_is_refused) {
  const plait_target target = declared();
  const ByteCodec codec{target, kEnvironments[2], Preset::kSmall, 2};
  Prng prng{2};
  for (uint32_t i = 0; i < 300; ++i) {
    Scenario scenario = generate(target, kEnvironments[2], Preset::kSmall, 6 + i % 30, i % 2 == 0, prng);
    if (scenario.knobs[1] > 200) scenario.knobs[1] = 7;
    EXPECT(codec.encode(scenario, {}).has_value());
    scenario.cpus = 8;
    EXPECT(!codec.encode(scenario, {}).has_value());
  }
  Scenario scenario;
  std::vector<Deviation> schedule;
  codec.decode({}, scenario, schedule);
  const ContextId task{ContextKind::kTask, 0, 0};
  EXPECT(codec.encode(scenario, {{task, 2303, {MoveKind::kGo, CpuId{1}, 0, 0, {}}}}).has_value());
  EXPECT(!codec.encode(scenario, {{task, 2304, {MoveKind::kGo, CpuId{1}, 0, 0, {}}}}).has_value());
  EXPECT(!codec.encode(scenario, {{task, 1, {MoveKind::kDevice, {}, 0, 0, {}}}}).has_value());
}

TEST(generated_scenarios_with_a_device_have_bytes_and_so_have_its_moves) {
  const plait_target target = declared();
  for (uint32_t i = 0; i < 600; ++i) {
    const Environment& environment = kEnvironments[i % 2 ? 4 : 6];
    const ByteCodec codec{target, environment, Preset::kSmall, 0};
    Prng prng{i};
    Scenario scenario = generate(target, environment, Preset::kSmall, 6 + i % 30, i % 4 == 0, prng);
    if (scenario.knobs[1] > 200) scenario.knobs[1] = 7;
    if (scenario.pages > 255) continue;
    if (environment.device == DeviceKind::kNet) scenario.device.read_only = false;  // drawn, and no disk is there
    const ContextId device{ContextKind::kDevice, 0, 0};
    for (const uint8_t choice : {0, 1, 16, 254, 255}) {
      EXPECT(codec.encode(scenario, {{device, 70, {MoveKind::kDevice, {}, 0, choice, {}}}}).has_value());
    }
    EXPECT(codec.encode(scenario, {{device, 1, {MoveKind::kInterrupt, CpuId{0}, 0, 0, {}}}}).has_value());
    EXPECT(codec.encode(scenario, {{{ContextKind::kIrq, 0, 1}, 1, {MoveKind::kDevice, {}, 0, 0, {}}}}).has_value());
    EXPECT(!codec.encode(scenario, {{device, 1, {MoveKind::kDevice, {}, 0, 17, {}}}}).has_value());
  }
}

namespace {

// Two tasks on two CPUs; the second reads the words that the first wrote, or as many of its own.
std::vector<uint8_t> counted(bool shared, bool marked, bool ordered = true, size_t words = 1) {
  static bool meets, is_marked;
  static size_t each;
  meets = shared;
  is_marked = marked;
  each = words;
  static Cover cover;
  cover = Cover{};
  Bench bench;
  bench.limits.order_checks = true;
  bench.scenario.cpus = 2;
  bench.add_task(0);
  bench.add_task(1);
  on_alloc = [](size_t) -> void* {
    const uint32_t cpu = machine->cpu_id(0);
    const uint32_t kind = is_marked ? kAtomic | uint32_t{__ATOMIC_SEQ_CST} << kOrderShift : 0;
    const auto code = reinterpret_cast<uintptr_t>(&g);
    const uint64_t* const first = &g.words[1 + (meets ? 0 : cpu * each)];
    for (size_t i = 0; i < each; ++i) {
      machine->access(reinterpret_cast<uintptr_t>(first + i), 8, (cpu == 0 ? kWrite : kRead) | kind, code + 1 + cpu);
    }
    machine->page_alloc(1000, 0, 0);
    return nullptr;
  };
  machine->set_cover(&cover);
  bench.run(ordered ? std::vector<Deviation>{} : std::vector<Deviation>{{{}, 0, {MoveKind::kGo, CpuId{1}, 0, 0, {}}}});
  machine->set_cover(nullptr);
  return {cover.counters().begin(), cover.counters().end()};
}

size_t features(const std::vector<uint8_t>& counters) {
  return static_cast<size_t>(std::count_if(counters.begin(), counters.end(), [](uint8_t one) { return one != 0; }));
}

}  // namespace

TEST(who_meets_whom_is_counted_and_the_same_execution_counts_the_same) {
  for (const bool marked : {false, true}) {
    EXPECT_EQ(features(counted(true, marked)), features(counted(false, marked)) + 1);
    EXPECT(counted(true, marked) == counted(true, marked));
    EXPECT(counted(true, marked) != counted(true, marked, false));
  }
}

// Where words lie differs between processes: none may push another out. (Marked ones: the others would race.)
TEST(each_word_is_met_however_many_there_are) {
  constexpr size_t kWords = 120;
  const auto shared = counted(true, true, true, kWords), apart = counted(false, true, true, kWords);
  EXPECT_EQ(std::accumulate(shared.begin(), shared.end(), size_t{0}),
            std::accumulate(apart.begin(), apart.end(), size_t{0}) + kWords);
}
