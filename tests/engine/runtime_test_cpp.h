// SPDX-License-Identifier: Apache-2.0
//
// What runtime_test.cc asks of a target in C++: containers and exceptions of the library behave as they do here, where
// nothing is wrapped; static objects.
#pragma once

#include <cxxabi.h>

#include <functional>
#include <list>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "runtime_test_build.h"
#include "runtime_test_stl.h"
#include "runtime_test_targets.h"

// Compiled here, where nothing is wrapped, and as part of a target.
#define HERE_AND_IN_TARGET(name, ...) \
  __VA_ARGS__                         \
  constexpr const char* name = #__VA_ARGS__;

namespace {

HERE_AND_IN_TARGET(
    kProgram,

    inline uint64_t run_containers(uint64_t seed) {
      uint64_t sum = 0;
      std::list<uint64_t> list;
      std::list<uint64_t> more;
      std::map<uint64_t, uint64_t> map;
      std::set<std::string_view> words;
      std::unordered_map<uint64_t, uint64_t> table;
      std::unordered_set<std::string_view> names;
      const std::string_view text = "a mind for the containers of the library, and for what they leave out";
      for (uint64_t i = 0; i < 500; ++i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const uint64_t n = seed >> 40;
        const std::string_view word = text.substr(n % 50, n / 64 % 20);
        list.push_back(n % 1000);
        more.push_front(i);
        map[n % 200] = i;
        words.insert(word);
        table.emplace(n % 300, i);
        names.insert(word);
        if (n % 3 == 0) map.erase(n / 16 % 200);
        if (n % 5 == 0) words.erase(words.begin());
        if (n % 7 == 0) list.splice(std::next(list.begin(), 1), more, more.begin());
        if (n % 11 == 0) list.pop_front();
        if (n % 13 == 0) more.reverse();
        if (n % 17 == 0) list.swap(more);
        if (n % 19 == 0) table.erase(n / 16 % 300);
        if (n % 101 == 0) list.sort();
        if (n % 103 == 0) list.unique();
        sum = sum * 31 + table.bucket_count() + names.bucket_count() + list.size();
      }
      for (uint64_t n : list) sum = sum * 31 + n;
      for (uint64_t n : more) sum = sum * 31 + n;
      for (const auto& entry : map) sum = sum * 31 + entry.first * entry.second;
      for (auto at = words.rbegin(); at != words.rend(); ++at) sum = sum * 31 + at->size();
      for (const auto& entry : table) sum = sum * 31 + entry.second;
      for (const std::string_view& word : names) sum = sum * 31 + word.size();
      return sum;
    }

    // What it says, and where the exception was; 0 when nothing is thrown.
    inline uintptr_t what_is_thrown(int which, size_t four, char* text) {
      try {
        switch (which) {
          case 0:
            std::__throw_bad_alloc();
          case 1:
            std::__throw_bad_array_new_length();
          case 2:
            std::__throw_bad_exception();
          case 3:
            std::__throw_bad_cast();
          case 4:
            std::__throw_bad_typeid();
          case 5:
            std::__throw_bad_function_call();
          case 6:
            std::__throw_logic_error("a logic");
          case 7:
            std::__throw_domain_error("a domain");
          case 8:
            std::__throw_invalid_argument("an argument");
          case 9:
            std::__throw_length_error("a length");
          case 10:
            std::__throw_out_of_range("a range");
          case 11:
            std::__throw_runtime_error("a runtime");
          case 12:
            std::__throw_range_error("another range");
          case 13:
            std::__throw_overflow_error("over");
          case 14:
            std::__throw_underflow_error("under");
          case 15:
            std::__throw_system_error(2);
          case 16:
            std::__throw_future_error(2);
          case 17:
            abi::__cxa_throw_bad_array_new_length();
          case 18:
            abi::__cxa_bad_cast();
          case 19:
            abi::__cxa_bad_typeid();
          case 20:
            (void)std::vector<int>().at(four);
            break;
          case 21:
            std::string_view("text").copy(text, 5, four + 3);
            break;
          case 22:
            std::vector<int>().reserve(~size_t{0} / four);
            break;
        }
      } catch (const std::exception& e) {
        std::strcpy(text, e.what());
        return reinterpret_cast<uintptr_t>(&e);
      }
      return 0;
    })

constexpr int kThrows = 23;

std::string stl_source() {
  return std::string(R"(
#include <cstdint>
#include <cstring>
#include <cxxabi.h>
#include <cxxabi.h>

#include <functional>
#include <list>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#define API extern "C" __attribute__((visibility("default")))
using L = std::__detail::_List_node_base;
using T = std::_Rb_tree_node_base;
using P = std::__detail::_Prime_rehash_policy;
API void list_hook(L *n, L *at) { n->_M_hook(at); }
API void list_unhook(L *n) { n->_M_unhook(); }
API void list_transfer(L *at, L *first, L *last) { at->_M_transfer(first, last); }
API void list_reverse(L *n) { n->_M_reverse(); }
API void list_swap(L *a, L *b) { L::swap(*a, *b); }
API void tree_insert(bool left, T *n, T *p, T *h) { std::_Rb_tree_insert_and_rebalance(left, n, p, *h); }
API T *tree_erase(T *n, T *h) { return std::_Rb_tree_rebalance_for_erase(n, *h); }
API T *tree_next(T *n) { return std::_Rb_tree_increment(n); }
API T *tree_previous(T *n) { return std::_Rb_tree_decrement(n); }
API const T *tree_const_next(const T *n) { return std::_Rb_tree_increment(n); }
API const T *tree_const_previous(const T *n) { return std::_Rb_tree_decrement(n); }
API size_t hash(const void *at, size_t size, size_t seed) { return std::_Hash_bytes(at, size, seed); }
API size_t buckets(P *p, size_t n) { return p->_M_next_bkt(n); }
API bool rehash(P *p, size_t n, size_t e, size_t more, size_t *to) {
  auto r = p->_M_need_rehash(n, e, more);
  *to = r.second;
  return r.first;
}
)") + kProgram +
         "API uint64_t containers(uint64_t seed) { return run_containers(seed); }\n"
         "API uintptr_t thrown(int which, size_t four, char *text) { return what_is_thrown(which, four, text); }\n";
}

void test_hashing(const Module& m) {
  static unsigned char bytes[80];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<unsigned char>(i * 89 + 7);
  const auto hash = m.get<size_t(const void*, size_t, size_t)>("hash");
  for (size_t from = 0; from < 9; ++from) {
    for (size_t size = 0; size < 70; ++size) {
      g.events.clear();
      EXPECT(hash(bytes + from, size, from * 12345) == std::_Hash_bytes(bytes + from, size, from * 12345));
      EXPECT(covered(bytes + from, size, kRead));
    }
  }
  using Policy = std::__detail::_Prime_rehash_policy;
  static Policy tested, real;
  const auto buckets = m.get<size_t(Policy*, size_t)>("buckets");
  const auto rehash = m.get<bool(Policy*, size_t, size_t, size_t, size_t*)>("rehash");
  for (const size_t n : {0, 1, 2, 5, 13, 14, 100, 1000, 54321}) {
    EXPECT(undoable(&tested, sizeof tested, [&] { EXPECT(buckets(&tested, n) == real._M_next_bkt(n)); }));
    EXPECT(tested._M_state() == real._M_state() && covered(&tested._M_next_resize, 8, kWrite));
    for (const size_t more : {size_t{0}, size_t{1}, n}) {
      const auto expected = real._M_need_rehash(n + 1, n, more);
      size_t local = 0;
      EXPECT(
          undoable(&tested, sizeof tested, [&] { EXPECT(rehash(&tested, n + 1, n, more, &local) == expected.first); }));
      EXPECT((!expected.first || local == expected.second) && tested._M_state() == real._M_state());
    }
  }
}

void test_throws(const Module& m) {
  const auto thrown = m.get<uintptr_t(int, size_t, char*)>("thrown");
  for (int which = 0; which < kThrows; ++which) {
    char text[200] = "", expected[200] = "";
    reset();
    const uintptr_t at = thrown(which, 4, text);
    EXPECT(at != 0 && std::count(g.calls.begin(), g.calls.end(), "throw_note") == 1);
    Dl_info target{}, where{};
    EXPECT(dladdr(reinterpret_cast<void*>(thrown), &target) != 0 && dladdr(reinterpret_cast<void*>(g.pc), &where) != 0);
    EXPECT(target.dli_fbase == where.dli_fbase);
    for (const Event& e : g.events) EXPECT(e.address - at >= 8);  // what the library has allocated is not looked at
    EXPECT(what_is_thrown(which, 4, expected) != 0 && std::strcmp(text, expected) == 0 && text[0] != '\0');
  }
}

void test_stl(const Module& m) {
  reset();
  test_trees(m);
  test_lists(m);
  test_hashing(m);
  test_throws(m);
  for (uint64_t seed = 0; seed < 10; ++seed) {
    reset();
    EXPECT(m.get<uint64_t(uint64_t)>("containers")(seed) == run_containers(seed) && g.heap.empty());
  }
}

// ---- exceptions, static objects

void test_cpp(const Module& m) {
  reset();
  EXPECT(m.get<int()>("early_sum")() == 700 && g.calls.empty());
  m.get<void()>("early_free")();
  EXPECT(m.get<int()>("queue_work")() == 499500 && g.heap.empty() && !g.calls.empty());
  reset();
  EXPECT(m.get<int()>("new_work")() == 8 && g.heap.empty() && g.calls.size() == 18);
  EXPECT(std::count(g.calls.begin(), g.calls.end(), "heap_alloc 128 64") == 2);
  g.out_of_memory = true;
  EXPECT(m.get<int()>("bad_alloc_caught")() == 1);
  EXPECT(g.calls.back() == "throw_note" && inside(g.pc, m, "bad_alloc_caught"));
  EXPECT(m.get<int()>("nothrow_null")() == 1);
  reset();
  EXPECT(m.get<int(int)>("throw_caught")(30) == 34);
  EXPECT(g.calls == std::vector<std::string>{"throw_note"});
  for (const Event& e : g.events) EXPECT((e.kind & kWrite) == 0);  // nothing of the exception object is announced
  reset();
  bool escaped = false;
  try {
    m.get<void(int)>("escape")(1);
  } catch (const std::exception& e) {
    escaped = std::strcmp(e.what(), "mine") == 0;
  }
  EXPECT(escaped);
  EXPECT(dies(m.get<void()>("die_terminate"), Death::kTerminate));
  EXPECT(dies(m.get<void()>("die_pure"), Death::kTerminate, "pure"));
  reset();
  EXPECT(m.get<int(int)>("static_object")(5) == 5 && m.get<int(int)>("static_object")(6) == 5);
  EXPECT(!g.events.empty() && (g.events[0].kind & kAtomic) != 0);
}

}  // namespace
