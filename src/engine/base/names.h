// SPDX-License-Identifier: Apache-2.0
//
// How enums and contexts are spelled in files and reports.
#pragma once

#include <string_view>

#include "base/text.h"
#include "base/types.h"

namespace plait {

std::string_view name(FailureKind kind);
std::string_view name(MoveKind kind);
std::string_view name(VerdictKind kind);
std::string_view name(GiveUp reason);

// "task 0", "worker 1", "irq 0#2", "start"; as used in files.
Text full_name(ContextId id);
// The same without the activation, for sentences: "irq 0".
Text short_name(ContextId id);
// False when the text is no context name.
bool parse(std::string_view text, ContextId& id);
bool parse(std::string_view text, MoveKind& kind);

}  // namespace plait
