// SPDX-License-Identifier: Apache-2.0
//
// Search strategies by name. To add one: a file with a Strategy, and a line in registry.cc.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "machine/strategy.h"

namespace plait {

std::unique_ptr<Strategy> make_strategy(std::string_view name);  // null: no such strategy
std::vector<std::string_view> strategy_names();

// Defined one a file.
std::unique_ptr<Strategy> make_random_walk();
std::unique_ptr<Strategy> make_pct();
std::unique_ptr<Strategy> make_pos();
std::unique_ptr<Strategy> make_surw();
std::unique_ptr<Strategy> make_rff();
std::unique_ptr<Strategy> make_portfolio();

}  // namespace plait
