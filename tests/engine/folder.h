// SPDX-License-Identifier: Apache-2.0
//
// A folder for what a test builds, where the system wants such things (TMPDIR); gone when the test is over.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

struct Folder {
  std::string path;

  // mkdtemp puts a name of its own in the place of the six letters.
  explicit Folder(const char* test) : path(std::filesystem::temp_directory_path() / (std::string(test) + ".XXXXXX")) {
    if (mkdtemp(path.data()) != nullptr) return;
    std::perror(path.c_str());
    std::exit(2);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) std::fprintf(stderr, "%s: %s\n", path.c_str(), error.message().c_str());
  }
};
