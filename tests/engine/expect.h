// SPDX-License-Identifier: Apache-2.0
//
// The least that a C++ test needs. One test file is one executable; this header brings its main.
//
//     TEST(stacks_do_not_overlap) {
//       EXPECT(a.end <= b.begin);
//       EXPECT_EQ(range.slot_of(a.begin), 0u);
//     }
//
// Arguments: the folder of the runtime archives, the repository, then names of tests to run (none: all). A failed
// expectation is printed and the test goes on. Last line: "N passed, N failed"; exit status 0 when none failed.
#pragma once

#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace expect {

struct Test {
  const char* name;
  void (*body)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
struct Registration {
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

inline int g_failures = 0;  // expectations of the running test
inline std::string g_archives = ".";
inline std::string g_repository = ".";

inline void fail(const char* file, int line, const std::string& what) {
  ++g_failures;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

template <typename A, typename B>
void equal(const A& a, const B& b, const char* a_text, const char* b_text, const char* file, int line) {
  if (a == b) return;
  std::ostringstream text;
  text << a_text << " == " << b_text << "\n  left:  " << a << "\n  right: " << b;
  fail(file, line, text.str());
}

inline int run(int argc, char** argv) {
  if (argc > 1) g_archives = argv[1];
  if (argc > 2) g_repository = argv[2];
  int passed = 0;
  int failed = 0;
  for (const Test& test : tests()) {
    bool wanted = argc <= 3;
    for (int i = 3; i < argc; ++i) wanted = wanted || std::strcmp(argv[i], test.name) == 0;
    if (!wanted) continue;
    g_failures = 0;
    test.body();
    if (g_failures != 0) std::fprintf(stderr, "FAILED %s\n", test.name);
    ++(g_failures == 0 ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed != 0 ? 0 : 1;
}

}  // namespace expect

#define EXPECT(condition) ((condition) ? (void)0 : ::expect::fail(__FILE__, __LINE__, "not true: " #condition))
#define EXPECT_EQ(a, b) ::expect::equal((a), (b), #a, #b, __FILE__, __LINE__)
#define TEST(name)                                                          \
  static void test_##name();                                                \
  static const ::expect::Registration registration_##name{#name, test_##name}; \
  static void test_##name()

int main(int argc, char** argv) { return ::expect::run(argc, argv); }
