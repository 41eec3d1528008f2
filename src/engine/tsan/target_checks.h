// SPDX-License-Identifier: Apache-2.0
//
// Whether what PLAIT_TARGET says makes sense. The engine relies on it afterwards, and whoever wrote a declaration
// should read what is wrong with it, not watch the consequences.
#pragma once

#include <string>

#include "base/range.h"
#include "plait/driver.h"
#include "plait/target.h"

namespace plait {

// Empty when all is well, else one sentence: the field, its value, what to do. `module`: all of the loaded target;
// what the declaration points to has to lie there. `data`: the part of it that may be written.
std::string complaint_about(const plait_target& target, AddressRange module, AddressRange data);
// The same of PLAIT_DRIVER.
std::string complaint_about(const plait_driver& driver);

}  // namespace plait
