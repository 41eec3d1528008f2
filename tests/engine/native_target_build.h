// SPDX-License-Identifier: Apache-2.0
//
// Compiles a small target, and finds its variables when it is loaded, for native_target_test.cc and fixed_load_test.cc.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "expect.h"
#include "folder.h"
#include "tsan/native_target.h"

using namespace plait;

namespace {

std::string in_folder(const std::string& name) {
  static const Folder folder("native_target_test");
  return folder.path + "/" + name;
}

const char* compiler() {
  static const char* const named = std::getenv("PLAIT_CXX");
  return named ? named : "c++";
}

// What every target here has around its own code; plait_bind stands for the runtime archive.
constexpr const char* kBefore = R"(
#include <cstddef>
#include "plait/target.h"
extern "C" __attribute__((visibility("default"))) const void* bound_table;
const void* bound_table;
extern "C" __attribute__((visibility("default"))) void plait_bind(const void* table) { bound_table = table; }
static void* my_alloc(size_t) { return nullptr; }
static int my_free(void*) { return 0; }
#define EXPORT extern "C" __attribute__((visibility("default")))
)";
constexpr const char* kDeclaration = "PLAIT_TARGET(.alloc = my_alloc, .free = my_free, .size_max = 64);\n";

// The path of the shared object made of the source.
std::string build(const std::string& name, const std::string& source, const std::string& flags = "") {
  const std::string object = in_folder(name + ".so");
  std::ofstream(in_folder(name + ".cc")) << source;
  const std::string command = std::string(compiler()) + " -std=c++20 -O1 -fPIC -fvisibility=hidden -shared " +
                              "-Wl,-Bsymbolic -I " + expect::g_repository + "/src/engine/include " + flags + " " +
                              in_folder(name + ".cc") + " -o " + object;
  if (std::system(command.c_str()) != 0) expect::fail(__FILE__, __LINE__, "does not compile: " + command);
  return object;
}

RuntimeTable table() {
  RuntimeTable empty{};
  empty.abi = kRuntimeAbi;
  return empty;
}
const RuntimeTable g_table = table();

// An exported pointer or number of the target, through its declaration's neighbours: state names carry addresses.
uintptr_t address_of(const NativeTarget& target, const char* name) {
  for (const plait_state_name* state = target.declaration().state_names; state && state->name; ++state) {
    if (std::strcmp(state->name, name) == 0) return reinterpret_cast<uintptr_t>(state->address);
  }
  expect::fail(__FILE__, __LINE__, std::string("no state name ") + name);
  return 0;
}

const char* const kPlaces = R"(
static uint64_t initialised = 77;
static uint64_t zeroed;
static char odd[13];
static const uint64_t constant[2] = {1, 2};
static void* const relocated[2] = {&initialised, &zeroed};
thread_local uint64_t local_number = 5;
thread_local uint64_t* local_pointer = &initialised;
thread_local char local_zeros[100];
static void* places() { return local_pointer + local_number + local_zeros[3] + odd[2]; }
static void* uses(size_t) { return places(); }
static uint64_t knob_value = 3;
static const plait_knob knobs[] = {{"depth", &knob_value, 1, 4, 3, 1000, "how deep"}, {}};
static const plait_state_name names[] = {
  {"initialised", &initialised, 8, 1}, {"zeroed", &zeroed, 8, 0}, {"constant", constant, 8, 2},
  {"relocated", relocated, 8, 2}, {"bound", &bound_table, 8, 1}, {"odd", odd, 1, 13},
  {"knob", &knob_value, 8, 1}, {},
};
PLAIT_TARGET(.alloc = uses, .free = my_free, .size_min = 8, .size_max = 256, .knobs = knobs, .state_names = names);
)";

uint64_t& word(uintptr_t address) { return *reinterpret_cast<uint64_t*>(address); }

}  // namespace
