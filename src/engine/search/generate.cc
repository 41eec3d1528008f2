// SPDX-License-Identifier: Apache-2.0
#include "search/generate.h"

#include <algorithm>
#include <array>
#include <span>

namespace plait {
namespace {

constexpr uint32_t kSlotsMax = 24;
constexpr uint32_t kPagesPlenty = 64;
constexpr uint32_t kPagesToComeUp = 8;

class Generator {
 public:
  Generator(const plait_target& target, const Environment& environment, Preset preset, uint32_t size, bool standard_knobs,
            Prng& prng)
      : target_(target), environment_(environment), preset_(preset), size_(size), standard_knobs_(standard_knobs),
        prng_(prng) {}

  Scenario make() {
    scenario_.cpus = between(environment_.cpus);
    scenario_.page_size = page_size_of(target_, preset_);
    // Rarely little memory: running out is a path of its own.
    scenario_.pages = prng_.one_in(12) ? prng_.between(2, 8) : kPagesPlenty;
    knobs();
    contexts();
    if (environment_.device != DeviceKind::kNone) device();
    sizes();
    operations();
    add_vectors();
    return std::move(scenario_);
  }

 private:
  uint32_t between(Range range) { return prng_.between(range.min, range.max); }

  void knobs() {
    for (const plait_knob* knob = target_.knobs; knob && knob->name; ++knob) {
      uint64_t value = knob->real;
      if (preset_ == Preset::kSmall) {
        const auto span = static_cast<uint32_t>(std::min<uint64_t>(knob->max - knob->min, 1u << 30));
        value = standard_knobs_ || prng_.one_in(2) ? knob->standard : knob->min + prng_.below(span + 1);
      }
      scenario_.knobs.push_back(value);
    }
  }

  void contexts() {
    const uint32_t tasks = between(environment_.tasks);
    for (uint32_t i = 0; i < tasks; ++i) {
      TaskSpec task;
      // Mostly spread out; now and then where chance puts them.
      task.cpu = CpuId{static_cast<uint8_t>(prng_.one_in(4) ? prng_.below(scenario_.cpus) : i % scenario_.cpus)};
      task.pinned = !environment_.migration || prng_.one_in(4);
      scenario_.tasks.push_back(task);
    }
    const uint32_t lines = between(environment_.interrupts);
    for (uint32_t i = 0; i < lines; ++i) {
      LineSpec line;
      line.cpu = prng_.one_in(2) ? LineSpec::kAnyCpu : static_cast<int>(prng_.below(scenario_.cpus));
      line.fires = prng_.one_in(2) ? 1 : prng_.between(1, 3);
      scenario_.lines.push_back(line);
    }
  }

  // Small queues, so that a full one is near; what the driver can make of the features is its business.
  void device() {
    DeviceSpec& device = scenario_.device;
    device.kind = environment_.device;
    device.indirect = !prng_.one_in(4);
    device.event_index = prng_.one_in(2);
    device.suppression = prng_.one_in(2);
    device.packed = prng_.one_in(3);
    device.read_only = prng_.one_in(24);
    device.sectors = 8u << prng_.below(3);
    const bool net = device.kind == DeviceKind::kNet;
    if (net) network();
    // A chain of header, data and status has to fit, or of header and packet.
    const uint32_t smallest = device.indirect ? 0 : net ? 1 : 2;
    device.queue_size = 1u << (preset_ == Preset::kReal ? 8 : prng_.one_in(8) ? prng_.between(4, 8) : prng_.between(smallest, 3));
    // The driver fills its receive queue; where memory is short, it comes up at least.
    if (net) scenario_.pages += scenario_.pages == kPagesPlenty ? device.queue_size : kPagesToComeUp;
    const uint32_t queues = net || (scenario_.cpus > 1 && prng_.one_in(4)) ? 2 : 1;
    for (uint32_t i = 0; i < queues; ++i) {
      const uint32_t kind = prng_.below(4);
      device.vectors.push_back(kind == 0 ? LineSpec::kAnyCpu : kind == 1 ? static_cast<int>(prng_.below(scenario_.cpus)) : static_cast<int>(i % scenario_.cpus));
    }
  }

  // Large packets where the allocator has room for a whole one.
  void network() {
    constexpr uint32_t kBufferMax = DeviceSpec::kMtuMax + 50;  // with the driver's own, and both headers
    DeviceSpec& device = scenario_.device;
    device.mergeable = prng_.one_in(2);
    device.mtu = preset_ == Preset::kReal && target_.size_max >= kBufferMax ? DeviceSpec::kMtuMax : DeviceSpec::kMtuMin;
  }

  void packet(uint32_t context) {
    const uint32_t most = scenario_.device.mtu + DeviceSpec::kEthernetBytes;
    Operation operation{prng_.one_in(2) ? OperationKind::kSend : OperationKind::kReceive};
    operation.size = prng_.one_in(3) ? most : prng_.between(DeviceSpec::kEthernetBytes, most);
    program(context).push_back(operation);
  }

  void add_vectors() {
    for (uint32_t i = 0; i < scenario_.device.vectors.size(); ++i) {
      scenario_.lines.push_back({scenario_.device.vectors[i], 0, {}, static_cast<int>(i)});
    }
  }

  OperationKind without_caller_data() {
    constexpr std::array kOthers = {OperationKind::kDiscard, OperationKind::kWriteZeroes, OperationKind::kGetId};
    return prng_.one_in(2) ? kOthers[prng_.below(kOthers.size())] : OperationKind::kFlush;
  }

  void request(uint32_t context) {
    if (scenario_.device.kind == DeviceKind::kNet) return packet(context);
    const DeviceSpec& device = scenario_.device;
    const uint32_t kind = prng_.below(5);
    Operation operation{kind == 0   ? without_caller_data()
                        : kind <= 2 ? OperationKind::kWrite
                                    : OperationKind::kRead};
    if (has_sectors(operation.kind)) {
      const uint32_t most = device.indirect ? 4 : std::min(4u, device.queue_size - 2);
      operation.sectors = prng_.one_in(2) ? 1 : prng_.between(1, most);
      // Now and then beyond the end of the disk, which is an error that the driver has to pass on.
      operation.sector = prng_.below(device.sectors - (prng_.one_in(16) ? 0 : operation.sectors - 1));
    }
    program(context).push_back(operation);
  }

  // One to three sizes a scenario, each near a size class of the target.
  void sizes() {
    const uint32_t count = prng_.one_in(2) ? 1 : prng_.between(1, 3);
    for (uint32_t i = 0; i < count; ++i) sizes_.at(size_count_++) = one_size();
  }

  uint32_t one_size() {
    const size_t smallest = std::max<size_t>(target_.size_min, 1);
    // The largest that the page size leaves sensible: a few pages.
    const size_t largest = std::min<size_t>(target_.size_max, size_t{scenario_.page_size} * 4);
    size_t size = 0;
    if (target_.size_classes && target_.size_classes[0]) {
      uint32_t classes = 0;
      while (target_.size_classes[classes] && target_.size_classes[classes] <= largest) ++classes;
      size = target_.size_classes[classes ? prng_.below(classes) : 0];
    } else {
      uint32_t low = 0;
      uint32_t high = 0;
      while ((size_t{1} << low) < smallest) ++low;
      while ((size_t{2} << high) <= largest && (size_t{2} << high) <= scenario_.page_size / 2) ++high;
      size = size_t{1} << prng_.between(low, std::max(low, high));
      if (prng_.one_in(32)) size = largest;
    }
    if (prng_.one_in(4)) size = size > smallest ? size - prng_.below(static_cast<uint32_t>(std::min<size_t>(size - smallest, 7)) + 1) : size;
    return static_cast<uint32_t>(std::clamp(size, smallest, largest));
  }

  std::vector<Operation>& program(uint32_t context) {
    const auto tasks = static_cast<uint32_t>(scenario_.tasks.size());
    return context < tasks ? scenario_.tasks[context].operations : scenario_.lines[context - tasks].operations;
  }

  // Written down as if it ran in this order, so that most frees find something to free; who will really be first is
  // the schedule's business. A slot may be allocated in one context and freed in another.
  void operations() {
    const auto tasks = static_cast<uint32_t>(scenario_.tasks.size());
    const auto lines = static_cast<uint32_t>(scenario_.lines.size());
    const bool handlers_allocate = !prng_.one_in(4);
    const uint32_t remote = prng_.between(1, 4);  // how strongly frees prefer somebody else's object, of 4
    const bool requests = environment_.device != DeviceKind::kNone;
    for (uint32_t context = 0; context < tasks; ++context) requests ? request(context) : allocate(context);
    const uint32_t handler_max = prng_.between(1, 4);
    for (uint32_t line = 0; line < lines; ++line) {
      if (handlers_allocate && prng_.one_in(2)) {
        allocate(tasks + line);
      } else {
        release(tasks + line, remote);
      }
    }
    for (uint32_t i = tasks + lines; i < size_; ++i) {
      uint32_t context = prng_.below(tasks + (lines ? lines : 0));
      if (context >= tasks && program(context).size() >= handler_max) context = prng_.below(tasks);
      if (requests && context < tasks && prng_.one_in(2)) {
        request(context);
        continue;
      }
      const bool may_allocate = context < tasks || handlers_allocate;
      if (may_allocate && (filled_count_ == 0 || (slots_ < kSlotsMax && prng_.below(20) < 11))) {
        allocate(context);
      } else {
        release(context, remote);
      }
    }
  }

  void allocate(uint32_t context) {
    uint8_t slot = 0;
    if (empty_count_ != 0 && prng_.one_in(4)) {
      slot = empty_.at(--empty_count_);
    } else if (slots_ < kSlotsMax) {
      slot = static_cast<uint8_t>(slots_++);
    } else {
      return;
    }
    program(context).push_back({OperationKind::kAlloc, slot, sizes_.at(prng_.below(size_count_))});
    filled_.at(filled_count_++) = {slot, static_cast<uint8_t>(context)};
  }

  void release(uint32_t context, uint32_t remote) {
    if (filled_count_ == 0) return;
    uint32_t pick = prng_.below(filled_count_);
    for (uint32_t tries = 0; tries < remote && filled_.at(pick).by == context; ++tries) pick = prng_.below(filled_count_);
    const uint8_t slot = filled_.at(pick).slot;
    program(context).push_back({OperationKind::kFree, slot, 0});
    if (target_.refuses != 0 && prng_.one_in(4)) misuse(context, slot);
    filled_.at(pick) = filled_.at(--filled_count_);
    empty_.at(empty_count_++) = slot;
  }

  void misuse(uint32_t context, uint8_t slot) {
    const std::array<std::pair<uint32_t, OperationKind>, 3> kinds = {{
        {PLAIT_REFUSES_DOUBLE_FREE, OperationKind::kDoubleFree},
        {PLAIT_REFUSES_FOREIGN, OperationKind::kForeignFree},
        {PLAIT_REFUSES_INTERIOR, OperationKind::kInteriorFree},
    }};
    for (const auto& [flag, kind] : kinds) {
      if ((target_.refuses & flag) && prng_.one_in(2)) program(context).push_back({kind, slot, 0});
    }
  }

  struct Filled {
    uint8_t slot = 0;
    uint8_t by = 0;
  };
  const plait_target& target_;
  const Environment& environment_;
  Preset preset_;
  uint32_t size_;
  bool standard_knobs_;
  Prng& prng_;
  Scenario scenario_;
  std::array<uint32_t, 3> sizes_{};
  uint32_t size_count_ = 0;
  std::array<Filled, 512> filled_{};
  uint32_t filled_count_ = 0;
  std::array<uint8_t, 512> empty_{};
  uint32_t empty_count_ = 0;
  uint32_t slots_ = 0;
};

}  // namespace

uint32_t page_size_of(const plait_target& target, Preset preset) {
  const size_t small = target.page_size_small ? target.page_size_small : 512;
  const size_t real = target.page_size_real ? target.page_size_real : 4096;
  return static_cast<uint32_t>(preset == Preset::kSmall ? small : real);
}

Scenario generate(const plait_target& target, const Environment& environment, Preset preset, uint32_t size,
                  bool standard_knobs, Prng& prng) {
  return Generator{target, environment, preset, std::min(size, 400u), standard_knobs, prng}.make();
}

}  // namespace plait
