// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

#include <array>
#include <charconv>

namespace plait {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(FailureKind::kCount)> kFailureNames = {
    "double-allocation", "misaligned-object", "out-of-range-object", "lost-object", "duplicate-free-object",
    "double-free-accepted", "foreign-pointer-accepted", "live-object-overwritten", "wrong-cpu-pool",
    "allocation-refused", "free-refused", "unbounded-deferral", "page-leak",
    "null-dereference", "unmapped-access", "use-after-free", "read-only-write", "stack-overflow", "wild-jump",
    "bad-page-return", "crash",
    "data-race", "interrupt-race", "preemption-race",
    "sleep-in-atomic", "unbalanced-unlock", "interrupts-not-restored", "preemption-not-restored",
    "lock-held-on-return", "per-cpu-after-migration",
    "deadlock", "self-deadlock", "livelock", "lost-wakeup", "lock-order-inversion",
    "assertion", "invariant", "abort", "exception", "nonlocal-exit",
    "request-completed-twice", "request-completed-early", "request-never-completed", "wrong-data", "ring-protocol",
    "foreign-dma", "lost-notification", "descriptor-leak", "bad-free", "object-leak"};
static_assert(!kFailureNames.back().empty(), "a failure kind has no name");

constexpr std::array<std::string_view, 5> kMoveNames = {"go", "interrupt", "preempt", "migrate", "device"};

bool parse_number(std::string_view text, uint32_t limit, uint32_t& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number < limit;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string_view name(FailureKind kind) { return kFailureNames[static_cast<size_t>(kind)]; }
std::string_view name(MoveKind kind) { return kMoveNames[static_cast<size_t>(kind)]; }

std::string_view name(VerdictKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"passed", "failed", "gave-up", "not-deterministic"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view name(GiveUp reason) {
  constexpr std::array<std::string_view, 4> kNames = {"step-limit", "memory", "time", "waiting"};
  return kNames[static_cast<size_t>(reason)];
}

Text short_name(ContextId id) {
  switch (id.kind) {
    case ContextKind::kStart: return "start";
    case ContextKind::kTask: return "task " + Text::of(id.number);
    case ContextKind::kWorker: return "worker " + Text::of(id.number);
    case ContextKind::kIrq: return "irq " + Text::of(id.number);
    case ContextKind::kDevice: return "device " + Text::of(id.number);
  }
  return {};
}

Text full_name(ContextId id) {
  Text text = short_name(id);
  if (id.kind == ContextKind::kIrq) text += "#" + Text::of(id.activation);
  return text;
}

bool parse(std::string_view text, ContextId& id) {
  uint32_t number = 0;
  if (text == "start") {
    id = {};
    return true;
  }
  if (take_prefix(text, "task ") && parse_number(text, kTasksMax, number)) {
    id = {ContextKind::kTask, static_cast<uint8_t>(number), 0};
    return true;
  }
  if (take_prefix(text, "worker ") && parse_number(text, kTasksMax, number)) {
    id = {ContextKind::kWorker, static_cast<uint8_t>(number), 0};
    return true;
  }
  if (take_prefix(text, "device ") && parse_number(text, kDevicesMax, number)) {
    id = {ContextKind::kDevice, static_cast<uint8_t>(number), 0};
    return true;
  }
  if (!take_prefix(text, "irq ")) return false;
  const size_t hash = text.find('#');
  uint32_t activation = 0;
  if (hash == std::string_view::npos || !parse_number(text.substr(0, hash), kLinesMax, number) ||
      !parse_number(text.substr(hash + 1), 1u << 16, activation)) {
    return false;
  }
  id = {ContextKind::kIrq, static_cast<uint8_t>(number), static_cast<uint16_t>(activation)};
  return true;
}

bool parse(std::string_view text, MoveKind& kind) {
  for (size_t i = 0; i < kMoveNames.size(); ++i) {
    if (kMoveNames[i] == text) {
      kind = static_cast<MoveKind>(i);
      return true;
    }
  }
  return false;
}

}  // namespace plait
