// SPDX-License-Identifier: Apache-2.0
//
// Joins loaded targets to the machine: the runtime table that their hooks and kernel calls go through.
#pragma once

#include "machine/machine.h"
#include "tsan/native_target.h"
#include "tsan/table.h"

namespace plait {

// The process's one hot struct, and the table whose entries call `machine`. A process has one machine; the last one
// given wins.
Hot& process_hot();
const RuntimeTable& bind_runtime(Machine& machine);
TargetImage image_of(const NativeTarget& target);

}  // namespace plait
