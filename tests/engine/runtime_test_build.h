// SPDX-License-Identifier: Apache-2.0
//
// Compiles, links and loads a target for runtime_test.cc, with the flags of real ones.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <fstream>

#include "runtime_test_fake.h"

namespace {

struct Toolchain {
  std::string name, cc, cxx, flags;
};

std::vector<Toolchain> toolchains() {
  const char* const gcc =
      "-fno-gnu-unique --param=tsan-distinguish-volatile=1 --param=tsan-instrument-func-entry-exit=0"
      " -fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset";
  const char* const clang =
      "-mllvm -tsan-distinguish-volatile=1 -mllvm -tsan-instrument-read-before-write=1"
      " -mllvm -tsan-instrument-func-entry-exit=0";
  return {{"gcc", "gcc", "g++", gcc}, {"clang", "clang", "clang++", clang}};
}

struct Module {
  void* handle = nullptr;
  template <typename Function>
  Function* get(const std::string& name) const {
    void* const symbol = dlsym(handle, name.c_str());
    if (symbol == nullptr) {
      std::fprintf(stderr, "[%s] no symbol %s\n", g_where.c_str(), name.c_str());
      std::exit(1);
    }
    return reinterpret_cast<Function*>(symbol);
  }
};

std::string g_folder, g_archives, g_repository;
const RuntimeTable g_table = make_table();

std::string output_of(const std::string& command, bool& ok) {
  std::string text;
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, n);
  ok = pclose(pipe) == 0;
  return text;
}

std::string run(const std::string& command) {
  bool ok = false;
  std::string text = output_of(command, ok);
  if (!ok) {
    std::fprintf(stderr, "%s\n%s", command.c_str(), text.c_str());
    std::exit(1);
  }
  return text;
}

Module build(const Toolchain& tools, const std::string& name, bool cpp, const char* source, const char* archive,
             const std::string& extra = "") {
  const std::string base = g_folder + "/" + tools.name + "-" + name + "-" + archive;
  const std::string file = base + (cpp ? ".cc" : ".c");
  std::ofstream(file) << source;
  const std::string compile = (cpp ? tools.cxx + " -std=c++20" : tools.cc + " -std=c17") +
                              " -O1 -g -fPIC -fvisibility=hidden -fno-omit-frame-pointer"
                              " -fno-optimize-sibling-calls -fsanitize=thread " +
                              tools.flags + " " + extra + " -I" + g_repository + "/src/engine/include";
  run(compile + " -c " + file + " -o " + base + ".o");
  std::string wraps;
  std::ifstream list(g_repository + "/src/engine/tsan/runtime/wrap.txt");
  for (std::string symbol; std::getline(list, symbol);) wraps += " -Wl,--wrap=" + symbol;
  run(tools.cxx + " -shared -Wl,-Bsymbolic -Wl,-z,defs" + wraps + " " + base + ".o -Wl,--whole-archive " + g_archives +
      "/" + archive + ".a -Wl,--no-whole-archive -o " + base + ".so");
  Module module;
  module.handle = dlopen((base + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module.handle == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  EXPECT(run("nm -D --undefined-only " + base + ".so").find("__tsan") == std::string::npos);
  EXPECT(run("nm -D --defined-only " + base + ".so").find("__tsan") == std::string::npos);
  module.get<void(const RuntimeTable*)>("plait_bind")(&g_table);
  return module;
}

bool is(size_t index, const void* at, size_t size, uint32_t kind) {
  if (index >= g.events.size()) return false;
  const Event& e = g.events[index];
  return e.address == reinterpret_cast<uintptr_t>(at) && e.size == size && e.kind == kind;
}

// Every byte of the range was announced with this kind.
bool covered(const void* at, size_t size, uint32_t kind) {
  for (size_t i = 0; i < size; ++i) {
    const uintptr_t byte = reinterpret_cast<uintptr_t>(at) + i;
    const bool found = std::any_of(g.events.begin(), g.events.end(),
                                   [&](const Event& e) { return e.kind == kind && byte - e.address < e.size; });
    if (!found) return false;
  }
  return true;
}

template <typename Call>
bool dies(Call call, Death how, const char* text = "") {
  g.death = Death{99};
  g.may_die = true;
  if (setjmp(g.after_death) == 0) call();
  g.may_die = false;
  return g.death == how && g.death_text.find(text) != std::string::npos;
}

bool inside(uintptr_t pc, const Module& module, const char* function) {
  return pc - reinterpret_cast<uintptr_t>(dlsym(module.handle, function)) < 0x400;
}

}  // namespace
