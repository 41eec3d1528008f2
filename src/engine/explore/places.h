// SPDX-License-Identifier: Apache-2.0
//
// Names of places that are no memory, for steps that meet there: what the machine keeps, and what a device does.
#pragma once

#include <cstdint>

#include "machine/io.h"

namespace plait {

// Above every address.
enum Kept : uint64_t { kInterrupts = 1, kPreemption, kCpuOf, kSupply, kAsked, kSlot, kRequests, kRegisters, kMeetings };
constexpr uint64_t kept(Kept what, uint64_t number) { return uint64_t{1} << 63 | uint64_t{what} << 32 | number; }
constexpr uint64_t kept(Meeting::What what, uint64_t number) {
  return uint64_t{1} << 63 | (kMeetings + static_cast<uint64_t>(what)) << 32 | number;
}

}  // namespace plait
