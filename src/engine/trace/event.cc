// SPDX-License-Identifier: Apache-2.0
#include "trace/event.h"

#include <array>

namespace plait {

std::string_view name(EventKind kind) {
  constexpr std::array<std::string_view, static_cast<size_t>(EventKind::kCount)> kNames = {
      "call-alloc", "return-alloc", "call-free", "return-free", "skip",
      "read", "write", "rmw", "atomic-read", "atomic-write", "atomic-rmw", "marked-read", "marked-write", "fence",
      "irq-save", "irq-restore", "irq-off", "irq-on", "preempt-disable", "preempt-enable", "cpu-id",
      "spin-lock", "spin-trylock", "spin-unlock", "mutex-lock", "mutex-trylock", "mutex-unlock",
      "wait", "wait-prepare", "wait-commit", "wait-cancel", "wake", "woken",
      "sem-down", "sem-trydown", "sem-up", "might-sleep", "page-alloc", "page-free", "relax",
      "call-read", "call-write", "call-flush", "return-request", "io-read", "io-write", "kick", "request-done",
      "device-look", "device-arm", "device-fetch", "device-serve", "device-publish", "device-notify",
      "interrupt", "interrupt-return", "preempt", "migrate", "switch", "finish",
      "call-send", "call-receive", "device-send", "device-receive",
      "call-discard", "call-write-zeroes", "call-get-id"};
  static_assert(!kNames.back().empty(), "an event kind has no name");
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace plait
