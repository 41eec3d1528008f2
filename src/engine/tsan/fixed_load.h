// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace plait {

struct Loaded {
  void* handle = nullptr;
  std::string error;  // what dlerror() says; empty when there is a handle
};

// dlopen, now and local, of the module in `file`, known to the linker as `name`; with its first segment at one of our
// places, the one that its code and data decide or the next that is free. Where the kernel cannot help (no seccomp
// notifications, a small address space) it lies anywhere.
Loaded load_at_fixed_place(const std::string& name, int file);

}  // namespace plait
