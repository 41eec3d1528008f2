// SPDX-License-Identifier: Apache-2.0
#include "tsan/target_checks.h"

#include <cctype>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

namespace plait {
namespace {

constexpr size_t kSizeMax = size_t{16} << 20;   // bytes of one request, as in a scenario
constexpr size_t kAlignmentMax = size_t{1} << 16;
constexpr size_t kPageMin = 256;
constexpr size_t kPageMax = size_t{1} << 16;
constexpr size_t kListMax = 1000;               // a list that is longer lacks its end
constexpr uint64_t kKnobMax = INT64_MAX;        // the value has to fit into a failure file

bool power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }
std::string text(uint64_t value) { return std::to_string(value); }

// The first complaint wins.
class Checker {
 public:
  Checker(const plait_target& target, AddressRange module, AddressRange data)
      : target_(target), module_(module), data_(data) {}

  std::string run() {
    functions();
    sizes();
    size_classes();
    flags();
    pages();
    knobs();
    page_fields();
    state_names();
    return complaint_;
  }

 private:
  void require(bool condition, const std::string& complaint) {
    if (!condition && complaint_.empty()) complaint_ = complaint;
  }
  bool good() const { return complaint_.empty(); }

  template <typename T>
  bool inside(const T* at, size_t bytes = sizeof(T)) const {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(at) - module_.base;
    return offset < module_.size && bytes <= module_.size - offset;
  }

  // The name, when it is one: in the module, letters, digits and _.
  std::optional<std::string> identifier(const char* name) const {
    if (!inside(name)) return std::nullopt;
    const size_t room = module_.base + module_.size - reinterpret_cast<uintptr_t>(name);
    const std::string found(name, strnlen(name, room));
    if (found.empty() || found.size() > 100 || std::isdigit(static_cast<unsigned char>(found[0]))) return std::nullopt;
    for (const char letter : found) {
      if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '_') return std::nullopt;
    }
    return found;
  }

  // The entries of a list that ends with a null name, or a complaint.
  template <typename Entry>
  std::vector<Entry> entries(const Entry* list, const char* field) {
    std::vector<Entry> found;
    if (!list || !good()) return found;
    for (;; ++list) {
      const bool readable = inside(list) && found.size() < kListMax;
      require(readable, std::string(field) + " has no end: put an empty entry, {}, after the last one");
      if (!readable || !list->name) return found;
      found.push_back(*list);
    }
  }

  void functions() {
    require(target_.abi == PLAIT_TARGET_ABI, "was built for version " + text(target_.abi) +
                                                 " of plait/target.h, this is version " + text(PLAIT_TARGET_ABI) +
                                                 ": build it again");
    require(target_.alloc, "PLAIT_TARGET leaves out .alloc: name the function that allocates");
    require(target_.free, "PLAIT_TARGET leaves out .free: name the function that takes objects back");
  }

  void sizes() {
    require(target_.size_max != 0, "PLAIT_TARGET leaves out .size_max: say how many bytes the largest request has");
    require(target_.size_max <= kSizeMax,
            ".size_max is " + text(target_.size_max) + ": make it at most " + text(kSizeMax) + " bytes");
    require(target_.size_min <= target_.size_max, ".size_min is " + text(target_.size_min) +
                                                      ", more than .size_max, which is " + text(target_.size_max) +
                                                      ": make it smaller");
    const size_t alignment = target_.alignment;
    require(alignment == 0 || (power_of_two(alignment) && alignment <= kAlignmentMax),
            ".alignment is " + text(alignment) + ": make it a power of two up to " + text(kAlignmentMax));
  }

  void size_classes() {
    const size_t* at = target_.size_classes;
    if (!at || !good()) return;
    size_t count = 0;
    for (size_t before = 0;; before = *at++, ++count) {
      const bool readable = inside(at) && count < kListMax;
      require(readable, ".size_classes has no end: put a 0 after the last one");
      if (!readable || *at == 0) return;
      require(*at > before,
              ".size_classes has " + text(*at) + " after " + text(before) + ": put them in ascending order");
      if (!good()) return;
    }
  }

  void flags() {
    constexpr uint32_t kContexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER;
    constexpr uint32_t kRefuses = PLAIT_REFUSES_DOUBLE_FREE | PLAIT_REFUSES_FOREIGN | PLAIT_REFUSES_INTERIOR;
    require((target_.contexts & ~kContexts) == 0,
            ".contexts is " + text(target_.contexts) + ": combine PLAIT_IN_TASK and PLAIT_IN_HANDLER only");
    require((target_.refuses & ~kRefuses) == 0,
            ".refuses is " + text(target_.refuses) + ": combine constants named PLAIT_REFUSES_... only");
    require(target_.cpus_max <= PLAIT_CPUS_MAX,
            ".cpus_max is " + text(target_.cpus_max) + ": make it at most " + text(PLAIT_CPUS_MAX));
    std::underlying_type_t<plait_heap> heap;  // may be none of the enumerators, so it must not be read as one
    std::memcpy(&heap, &target_.heap, sizeof heap);
    require(heap <= PLAIT_HEAP_SELF, ".heap is " + text(heap) + ": make it PLAIT_HEAP_PRIVATE or PLAIT_HEAP_SELF");
  }

  void pages() {
    const auto check = [this](const char* field, size_t size) {
      require(size == 0 || (power_of_two(size) && size >= kPageMin && size <= kPageMax),
              std::string(field) + " is " + text(size) + ": make it a power of two from " + text(kPageMin) + " to " +
                  text(kPageMax));
    };
    check(".page_size_small", target_.page_size_small);
    check(".page_size_real", target_.page_size_real);
  }

  void knobs() {
    const std::vector<plait_knob> all = entries(target_.knobs, ".knobs");
    for (size_t i = 0; i < all.size() && good(); ++i) {
      const plait_knob& knob = all[i];
      const auto name = identifier(knob.name);
      require(name.has_value(), ".knobs[" + text(i) + "].name is no name: use letters, digits and _");
      if (!name) return;
      const std::string who = "knob \"" + *name + "\"";
      require(data_.contains(reinterpret_cast<uintptr_t>(knob.value)),
              who + " has no variable in the target: let .value point to a global that is not const");
      require(reinterpret_cast<uintptr_t>(knob.value) % sizeof(uint64_t) == 0,
              who + " has a value that is not aligned: let .value point to an ordinary uint64_t");
      require(knob.min <= knob.max, who + " has min " + text(knob.min) + " and max " + text(knob.max) + ": swap them");
      require(knob.standard >= knob.min && knob.standard <= knob.max,
              who + " has standard " + text(knob.standard) + ": choose one from " + text(knob.min) + " to " +
                  text(knob.max));
      require(knob.max <= kKnobMax && knob.real <= kKnobMax,
              who + " has values above " + text(kKnobMax) + ": choose smaller ones");
      require(!knob.help || inside(knob.help),
              who + " has a help text outside of the target: make it a string literal");
      for (size_t j = 0; j < i; ++j) {
        require(*name != all[j].name, who + " is there twice: rename one");
        require(knob.value != all[j].value,
                who + " and knob \"" + all[j].name + "\" share a variable: give each its own");
      }
    }
  }

  void page_fields() {
    const std::vector<plait_page_field> all = entries(target_.page_fields, ".page_fields");
    for (size_t i = 0; i < all.size() && good(); ++i) {
      const auto name = identifier(all[i].name);
      require(name.has_value(), ".page_fields[" + text(i) + "].name is no name: use letters, digits and _");
      if (!name) return;
      const std::string who = "page field \"" + *name + "\"";
      require(all[i].size != 0, who + " has size 0: say how many bytes it has");
      const uint64_t end = uint64_t{all[i].offset} + all[i].size;
      require(end <= kPageMax, who + " ends at byte " + text(end) + ": no page has more than " + text(kPageMax));
    }
  }

  void state_names() {
    const std::vector<plait_state_name> all = entries(target_.state_names, ".state_names");
    for (size_t i = 0; i < all.size() && good(); ++i) {
      const plait_state_name& state = all[i];
      const auto name = identifier(state.name);
      require(name.has_value(), ".state_names[" + text(i) + "].name is no name: use letters, digits and _");
      if (!name) return;
      const std::string who = "state name \"" + *name + "\"";
      require(state.stride != 0, who + " has stride 0: say how many bytes one element has");
      const uint64_t bytes = uint64_t{state.stride} * (state.count ? state.count : 1);
      require(inside(static_cast<const char*>(state.address), bytes),
              who + " covers " + text(bytes) +
                  " bytes that are not all the target's: name a global variable and its size");
    }
  }

  const plait_target& target_;
  AddressRange module_;
  AddressRange data_;
  std::string complaint_;
};

}  // namespace

std::string complaint_about(const plait_target& target, AddressRange module, AddressRange data) {
  return Checker(target, module, data).run();
}

std::string complaint_about(const plait_driver& driver) {
  if (driver.abi != PLAIT_DRIVER_ABI) {
    return std::string("PLAIT_DRIVER of version ").append(text(driver.abi)).append(": build it again");
  }
  if (driver.device != PLAIT_DEVICE_BLOCK && driver.device != PLAIT_DEVICE_NET) {
    return std::string("PLAIT_DRIVER, .device is ").append(text(driver.device)).append(": give PLAIT_DEVICE_BLOCK or PLAIT_DEVICE_NET");
  }
  if (!driver.probe || !driver.request || !driver.interrupt) {
    return "PLAIT_DRIVER lacks .probe, .request or .interrupt: all three are needed";
  }
  return {};
}

}  // namespace plait
