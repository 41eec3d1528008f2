// SPDX-License-Identifier: Apache-2.0
#include "strategy/registry.h"

#include <array>

namespace plait {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)();
};
constexpr std::array<Entry, 6> kEntries = {{
    {"random", make_random_walk},
    {"pct", make_pct},
    {"pos", make_pos},
    {"surw", make_surw},
    {"rff", make_rff},
    {"portfolio", make_portfolio},
}};

}  // namespace

std::unique_ptr<Strategy> make_strategy(std::string_view name) {
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.make();
  }
  return nullptr;
}

std::vector<std::string_view> strategy_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kEntries) names.push_back(entry.name);
  return names;
}

}  // namespace plait
