// SPDX-License-Identifier: Apache-2.0
//
// A compiled target in memory: dlopen of a private copy (so one file can be loaded several times), its declaration,
// and where its writable data, constants, code and thread-local block lie. Loading binds the runtime table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/range.h"
#include "plait/driver.h"
#include "plait/target.h"
#include "tsan/table.h"

namespace plait {

class NativeTarget {
 public:
  // Throws std::runtime_error with one clear sentence: not loadable (dlerror), no `plait_target` symbol (no
  // PLAIT_TARGET in any source), wrong ABI, alloc or free missing, sizes or knobs that make no sense.
  NativeTarget(const std::string& path, const RuntimeTable& table);
  ~NativeTarget();
  NativeTarget(const NativeTarget&) = delete;
  NativeTarget& operator=(const NativeTarget&) = delete;

  const plait_target& declaration() const { return *declaration_; }
  const plait_driver* driver() const { return driver_; }  // null: none was linked with it
  const std::string& path() const { return path_; }
  uintptr_t load_base() const { return load_base_; }              // module-relative = address - load_base
  size_t load_size() const { return load_size_; }                 // bytes, from the base to the last segment's end
  const std::vector<AddressRange>& code() const { return code_; } // executable segments
  AddressRange data() const { return data_; }                     // .data .. .bss, without RELRO; 8-aligned outwards
  const std::vector<AddressRange>& constants() const { return constants_; }  // readable, never written (RELRO too)
  // The module's thread-local block on the calling thread (size 0: none) and its initial image.
  AddressRange tls() const;
  const std::vector<std::byte>& tls_image() const { return tls_image_; }
  bool in_code(uintptr_t pc) const;

 private:
  void find_segments();

  void* handle_ = nullptr;
  int descriptor_ = -1;  // of the copy; kept open because its number is the copy's name
  const plait_target* declaration_ = nullptr;
  const plait_driver* driver_ = nullptr;
  std::string path_;
  uintptr_t load_base_ = 0;
  size_t load_size_ = 0;
  size_t tls_module_ = 0;
  std::vector<AddressRange> code_;
  AddressRange data_;
  std::vector<AddressRange> constants_;
  std::vector<std::byte> tls_image_;
};

}  // namespace plait
