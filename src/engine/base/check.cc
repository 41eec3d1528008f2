// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace plait {
namespace {
BlackBox g_box = nullptr;
void* g_box_argument = nullptr;
}  // namespace

void set_black_box(BlackBox box, void* argument) {
  g_box = box;
  g_box_argument = argument;
}

void engine_check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "plait: engine check failed: %s\n  %s:%d\n", condition, file, line);
  if (BlackBox box = g_box) {
    g_box = nullptr;
    box(g_box_argument);
  }
  std::fprintf(stderr, "this is a bug in Plait: please report it with the lines above\n");
  std::abort();
}

}  // namespace plait
