// SPDX-License-Identifier: Apache-2.0
//
// The runtime archive, seen from both sides: small targets are compiled by each installed compiler with the flags of
// real ones, linked with the archive, loaded, bound to a table that writes down what is announced, and called.
//
//     runtime_test <folder with libplait_rt*.a> <repository> [bench]
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include "folder.h"
#include "runtime_test_build.h"
#include "runtime_test_cpp.h"
#include "runtime_test_targets.h"

namespace {

alignas(64) unsigned char g_memory[4096];

struct Entry {
  const char* name;
  void (*call)(void*);
  size_t size;
  uint32_t kind;
};

void test_entry_points(const Module& m) {
  for (const Entry* e = m.get<const Entry>("entries"); e->name != nullptr; ++e) {
    reset();
    e->call(g_memory + 16);
    EXPECT(is(0, g_memory + 16, e->size, e->kind) && g.events.size() == 1);
    reset();
    e->call(g_memory + 17);
    EXPECT(is(0, g_memory + 17, e->size, e->kind));
    reset();
    unsigned char local[32];
    e->call(local);
    EXPECT(g.events.empty());
  }
  reset();
  m.get<void(void*, size_t)>("enter_ranges")(g_memory + 3, 21);
  EXPECT(g.events.size() == 4);
  for (size_t i = 0; i < g.events.size(); ++i) EXPECT(is(i, g_memory + 3, 21, i % 2 == 0 ? kRead : kWrite));
  EXPECT(g.events.size() == 4 && g.events[2].pc == 42);
}

// Fuel is taken once by what the fast path lets through and not at all by what it hands on.
void test_fast_path(const Module& m) {
  static uint32_t meta[sizeof g_memory / 8], data_meta[2];
  alignas(8) static unsigned char data[16];
  for (const Entry* e = m.get<const Entry>("entries"); e->name != nullptr; ++e) {
    const bool write = (e->kind & kWrite) != 0;
    for (uint32_t word :
         {kUnmapped | 0u, 1u << kStateBits | kOwned, 2u << kStateBits | kOwned, kLive | 0u, kReadOnly | 0u}) {
      for (int64_t fuel : {0, 1, 5}) {
        for (void* at : {static_cast<void*>(g_memory + 16), static_cast<void*>(data + 8)}) {
          reset();
          g.hot.arena_base = reinterpret_cast<uintptr_t>(g_memory);
          g.hot.arena_size = sizeof g_memory;
          g.hot.arena_meta = meta;
          g.hot.data_base = reinterpret_cast<uintptr_t>(data);
          g.hot.data_size = sizeof data;
          g.hot.data_meta = data_meta;
          meta[2] = data_meta[1] = word;
          g.hot.fuel = fuel;
          e->call(at);
          const bool fast =
              fuel > 0 && e->size <= 8 && (write ? word == g.hot.write_ok : (word & kStateMask) == kOwned);
          EXPECT(g.events.size() == (fast ? 0u : 1u));
          EXPECT(g.hot.fuel == (fast ? fuel - 1 : fuel));
          EXPECT(g.hot.writes == (fast && write ? 1u : 0u));
        }
      }
    }
  }
}

void test_accesses(const Module& m) {
  reset();
  unsigned char* const p = g_memory + 64;
  for (const char* width : {"8", "16", "32", "64"}) {
    const size_t size = static_cast<size_t>(std::atoi(width)) / 8;
    for (const bool marked : {false, true}) {
      const uint32_t extra = marked ? kMarked : 0u;
      const std::string name = (marked ? "volatile" : "plain") + std::string(width);
      reset();
      m.get<void(void*)>(name + "_increment")(p);
      EXPECT(is(0, p, size, kRead | extra) && is(1, p, size, kWrite | extra) && g.events.size() == 2);
      EXPECT(!g.events.empty() && inside(g.events[0].pc, m, (name + "_increment").c_str()));
    }
  }
  reset();
  m.get<void(void*)>("packed_increment")(p);
  EXPECT(is(0, p + 1, 4, kRead) && is(1, p + 1, 4, kWrite) && g.events.size() == 2);
  reset();
  for (int i = 0; i < 64; ++i) p[i] = static_cast<unsigned char>(i);
  m.get<void(void*, void*)>("struct_copy")(p + 128, p);
  EXPECT(covered(p, 64, kRead) && covered(p + 128, 64, kWrite) && std::memcmp(p, p + 128, 64) == 0);
  reset();
  m.get<void()>("local_work")();
  EXPECT(g.events.empty());
}

void test_memory_functions(const Module& m) {
  unsigned char expected[4096];
  const auto shuffle = [&] {
    reset();
    for (size_t i = 0; i < sizeof g_memory; ++i)
      expected[i] = g_memory[i] = static_cast<unsigned char>(i * 7 + i / 256);
  };
  for (const char* name : {"copy", "move", "builtin_copy", "copy_chk", "move_chk", "mem_p_copy"}) {
    for (const size_t to : {512, 515, 500, 530}) {
      for (const size_t size : {0, 1, 3, 8, 13, 24, 64, 101}) {
        if (std::strstr(name, "move") == nullptr && to - 512 < size && to != 512) continue;
        shuffle();
        std::memmove(expected + to, expected + 512, size);
        m.get<void*(void*, const void*, size_t)>(name)(g_memory + to, g_memory + 512, size);
        EXPECT(std::memcmp(expected, g_memory, sizeof expected) == 0);
        EXPECT(covered(g_memory + 512, size, kRead) && covered(g_memory + to, size, kWrite));
        for (const Event& e : g.events) EXPECT((e.kind != kWrite || (e.address & 7) + e.size <= 8) && e.size <= 8);
        if (size >= 8) EXPECT(g.events[0].kind == kRead && g.events[1].kind == kWrite);
      }
    }
  }
  for (const char* name : {"fill", "fill_chk", "builtin_fill"}) {
    for (const size_t size : {0, 1, 7, 8, 9, 31, 100}) {
      shuffle();
      std::memset(expected + 77, 0xee, size);
      m.get<void*(void*, int, size_t)>(name)(g_memory + 77, 0x5ee, size);
      EXPECT(std::memcmp(expected, g_memory, sizeof expected) == 0 && covered(g_memory + 77, size, kWrite));
    }
  }
  shuffle();
  m.get<void(void*)>("constant_fill")(g_memory + 64);
  EXPECT(covered(g_memory + 64, 64, kWrite) && std::count(g_memory + 64, g_memory + 128, 0) == 64);
  shuffle();
  m.get<void(void*, void*)>("constant_copy")(g_memory + 64, g_memory + 256);
  EXPECT(covered(g_memory + 256, 24, kRead) && covered(g_memory + 64, 24, kWrite));
  shuffle();
  unsigned char a[40] = {1, 2, 3}, b[40] = {};
  m.get<void*(void*, const void*, size_t)>("copy")(b, a, sizeof a);
  EXPECT(g.events.empty() && std::memcmp(a, b, sizeof a) == 0);
}

template <typename T>
void test_atomics_of(const Module& m, const char* bits) {
  const std::string prefix = std::string("atomic") + bits + "_";
  alignas(16) static T word, expected;
  constexpr size_t size = sizeof(T);
  constexpr uint32_t rmw = kRmw | kAtomic | kMayFail | __ATOMIC_ACQ_REL << kOrderShift;
  reset();
  word = 5;
  EXPECT(m.get<T(T*)>(prefix + "load")(&word) == 5);
  EXPECT(is(0, &word, size, kRead | kAtomic | __ATOMIC_ACQUIRE << kOrderShift) && g.events.size() == 1);
  m.get<void(T*, T)>(prefix + "store")(&word, 9);
  EXPECT(word == 9 && is(1, &word, size, kWrite | kAtomic | __ATOMIC_RELEASE << kOrderShift));
  EXPECT(g.hot.writes == 0);
  EXPECT(m.get<T(T*, T)>(prefix + "exchange")(&word, 6) == 9 && word == 6 && g.hot.writes == 1);
  EXPECT(is(2, &word, size, kRmw | kAtomic | kMayFail | __ATOMIC_SEQ_CST << kOrderShift));
  EXPECT(m.get<T(T*, T)>(prefix + "exchange")(&word, 6) == 6 && g.hot.writes == 1);
  for (const char* name : {"strong", "weak"}) {
    reset();
    const auto swap = m.get<int(T*, T*, T)>(prefix + name);
    T local = 6;
    word = 6;
    EXPECT(swap(&word, &local, 7) == 1 && word == 7 && local == 6 && g.hot.writes == 1);
    EXPECT(is(0, &word, size, rmw) && g.events.size() == 1);
    EXPECT(swap(&word, &local, 8) == 0 && word == 7 && local == 7 && g.hot.writes == 1);
    expected = 1;
    reset();
    EXPECT(swap(&word, &expected, 8) == 0 && expected == 7 && word == 7);
    EXPECT(covered(&word, size, rmw));
    EXPECT((covered(&expected, size, kRead) && covered(&expected, size, kWrite)) || covered(&expected, size, kRmw));
  }
  if (size == 16) return;
  const auto fetch = [&](const char* op, T before, T operand, T after) {
    reset();
    word = before;
    const std::string name = prefix + "fetch_" + op;
    EXPECT(m.get<T(T*, T)>(name)(&word, operand) == before && word == after);
    EXPECT(is(0, &word, size, rmw) && g.events.size() == 1 && inside(g.events[0].pc, m, name.c_str()));
    EXPECT(g.hot.writes == (before == after ? 0u : 1u));
  };
  fetch("add", T(250), T(10), T(T(250) + T(10)));
  fetch("sub", T(3), T(10), T(T(3) - T(10)));
  fetch("and", T(12), T(10), T(8));
  fetch("or", T(12), T(10), T(14));
  fetch("or", T(12), T(8), T(12));
  fetch("xor", T(12), T(10), T(6));
  fetch("nand", T(12), T(10), T(~T(8)));
}

void test_atomics(const Module& m) {
  test_atomics_of<uint8_t>(m, "8");
  test_atomics_of<uint16_t>(m, "16");
  test_atomics_of<uint32_t>(m, "32");
  test_atomics_of<uint64_t>(m, "64");
  __extension__ typedef unsigned __int128 uint128;
  test_atomics_of<uint128>(m, "128");
  reset();
  char *object = reinterpret_cast<char*>(g_memory) + 5, a[24] = "first", b[24] = "second", c[24];
  m.get<void(void*, void*)>("odd_store")(object, a);
  EXPECT(is(0, object, 24, kWrite | kAtomic | __ATOMIC_RELEASE << kOrderShift) && g.events.size() == 1);
  m.get<void(void*, void*, void*)>("odd_exchange")(object, b, c);
  EXPECT(std::strcmp(c, "first") == 0 && g.hot.writes == 1);
  EXPECT(m.get<int(void*, void*, void*)>("odd_strong")(object, a, c) == 0 && std::strcmp(a, "second") == 0);
  EXPECT(m.get<int(void*, void*, void*)>("odd_strong")(object, a, c) == 1 && g.hot.writes == 2);
  m.get<void(void*, void*)>("odd_load")(object, b);
  EXPECT(std::strcmp(b, "first") == 0 && g.events.size() == 5);
  reset();
  m.get<void()>("fences")();
  EXPECT(g.calls == std::vector<std::string>{"fence 3"} && inside(g.pc, m, "fences"));
  auto* const word = reinterpret_cast<uint64_t*>(g_memory);
  *word = 10;
  EXPECT(m.get<uint64_t(uint64_t*)>("local_add64")(word) == 7 && is(0, word, 8, kRmw));
  auto* const half = reinterpret_cast<uint32_t*>(g_memory);
  EXPECT(m.get<uint32_t(uint32_t*)>("local_add32")(half) == 4 && is(1, half, 4, kRmw));
}

void test_heap(const Module& m) {
  reset();
  static void* out[2];
  m.get<void(void**)>("heap_work")(out);
  EXPECT(g.heap.empty() && g.calls.front() == "heap_alloc 10 16" && covered(out, 8, kWrite));
  EXPECT(std::count(g.calls.begin(), g.calls.end(), "heap_alloc 5 128") == 1);
  g.events.clear();
  EXPECT(m.get<int(int)>("set_errno")(7) == 7 && g.events.empty());  // the C library's, so nobody's to see
  g.out_of_memory = true;
  errno = 0;
  EXPECT(m.get<void*(size_t)>("plain_malloc")(0) == nullptr && errno == ENOMEM);
  EXPECT(g.calls.back() == "heap_alloc 1 16" && inside(g.pc, m, "plain_malloc"));
}

void test_exits(const Module& m) {
  reset();
  EXPECT(dies(m.get<void()>("die_abort"), Death::kAbort) && inside(g.pc, m, "die_abort"));
  for (const char* name : {"die_exit", "die__exit", "die_quick_exit"}) EXPECT(dies(m.get<void()>(name), Death::kExit));
  EXPECT(dies([&] { m.get<void(int)>("die_assert")(1); }, Death::kAssert, "x == 5"));
  EXPECT(dies([&] { m.get<void(int)>("die_bug")(1); }, Death::kAssert, "x == 6"));
  EXPECT(dies([&] { m.get<void(int)>("die_invariant")(1); }, Death::kInvariant, "x == 7"));
  EXPECT(inside(g.pc, m, "die_invariant"));
  EXPECT(dies(m.get<void()>("die_smash"), Death::kStackSmashed));
  for (const int value : {5, 6}) {
    g.calls.clear();
    EXPECT(m.get<int(int)>("jump")(value) == 2 * value);
    EXPECT(g.calls == std::vector<std::string>{"setjmp_note"});
    EXPECT(g.pc - g.hot.stack_lo < g.hot.stack_size);
  }
  g.jump_allowed = false;
  EXPECT(dies([&] { m.get<int(int)>("jump")(3); }, Death::kLongjmp));
}

void test_kernel(const Module& m) {
  reset();
  EXPECT(m.get<int()>("kernel_calls")() == 11);
  const std::vector<std::string> expected = {
      "irq_save",       "irq_restore 9",  "irq_off",       "irq_on",      "preempt_disable", "preempt_enable",
      "cpu_id",         "spin_lock",      "spin_trylock",  "spin_unlock", "mutex_lock",      "mutex_trylock",
      "mutex_unlock",   "wait",           "wait_prepare",  "wait_commit", "wait_cancel",     "wait_mutex",
      "wake 0",         "wake 1",         "sem_down",      "sem_trydown", "sem_up",          "might_sleep",
      "worker_start 2", "page_alloc 3 1", "page_free 3 1", "relax",       "report_free 1 4294967295", "report_free 1 2", "report_deferred",
      "report_page"};
  EXPECT(g.calls == expected && inside(g.pc, m, "kernel_calls"));
}

// Every name that an installed gcc carries, and that LLVM's pass builds, is defined; wraps and their list agree; and
// nothing in the archive calls what would lead back into it.
void test_symbols(const Toolchain& tools) {
  for (const char* archive : {"/libplait_rt.a", "/libplait_rt_null.a"}) {
    const std::string defined = run("nm --defined-only " + g_archives + archive);
    const auto has = [&](const std::string& name) { return defined.find(" T " + name + "\n") != std::string::npos; };
    if (tools.name == "gcc") {
      std::istringstream names(
          run("strings -a $(" + tools.cxx + " -print-prog-name=cc1plus) | grep -ox '__tsan_[a-z0-9_]*'"));
      for (std::string name; names >> name;) EXPECT(has(name) || (std::fprintf(stderr, "%s\n", name.c_str()), false));
    }
    std::string wrapped = run("sort " + g_repository + "/src/engine/tsan/runtime/wrap.txt");
    EXPECT(wrapped == run("nm --defined-only " + g_archives + archive + " | sed -n 's/.* T __wrap_//p' | sort"));
    std::istringstream undefined(run("nm --undefined-only " + g_archives + archive + " | sed -n 's/.* [Uwv] //p'"));
    const std::set<std::string> allowed = {"write", "__errno_location", "_GLOBAL_OFFSET_TABLE_"};
    for (std::string name; undefined >> name;) {
      EXPECT(allowed.count(name) != 0 || name.rfind("__real_", 0) == 0 || has(name) || name.rfind("plait_rt_", 0) == 0);
    }
    for (const char* name : {"__tsan_memcpy", "__tsan_memmove", "__tsan_memset", "__tsan_init", "__tsan_vptr_read"}) {
      EXPECT(has(name));
    }
    for (const char* bits : {"8", "16", "32", "64", "128"}) {
      EXPECT(has(std::string("__tsan_atomic") + bits + "_compare_exchange_val"));
    }
  }
  // The fast path calls nothing and makes no room on the stack.
  const std::string code = run("objdump -d --no-show-raw-insn " + g_archives + "/libplait_rt.a");
  for (const char* name : {"<__tsan_read8>:", "<__tsan_write8>:", "<__tsan_read1>:", "<__tsan_write4>:"}) {
    const size_t start = code.find(name), end = code.find("\n\n", start);
    const std::string body = code.substr(start, end - start);
    EXPECT(start != std::string::npos && body.find(",%rsp") == std::string::npos &&
           body.find("call") == std::string::npos);
  }
}

void bench(const Module& m, const char* label) {
  static uint32_t meta[sizeof g_memory / 8];
  reset();
  std::fill(std::begin(meta), std::end(meta), g.hot.write_ok);
  g.hot.arena_base = reinterpret_cast<uintptr_t>(g_memory);
  g.hot.arena_size = sizeof g_memory;
  g.hot.arena_meta = meta;
  g.hot.fuel = INT64_MAX;
  auto* const p = reinterpret_cast<long*>(g_memory);
  long sum = 0;
  constexpr long n = 100'000'000;
  const auto time = [&](auto work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / double{n};
  };
  const double reads = time([&] { m.get<void(long*, long*, long)>("sweep_reads")(&sum, p, n); });
  const double writes = time([&] { m.get<void(long*, long)>("sweep_writes")(p, n); });
  std::printf("%s: read %.2f ns, write %.2f ns\n", label, reads, writes);
}

void test_toolchain(const Toolchain& tools, bool with_bench) {
  g_where = tools.name;
  if (std::system(("command -v " + tools.cxx + " " + tools.cc + " >/dev/null").c_str()) != 0) {
    std::printf("%s: not installed\n", tools.name.c_str());
    return;
  }
  const Module entries = build(tools, "entries", false, kEntriesSource, "libplait_rt", "-fno-sanitize=thread");
  test_entry_points(entries);
  test_fast_path(entries);
  const Module access = build(tools, "access", false, kAccessSource, "libplait_rt");
  test_accesses(access);
  test_memory_functions(access);
  test_atomics(access);
  test_heap(access);
  test_exits(access);
  test_kernel(access);
  test_cpp(build(tools, "cpp", true, kCppSource, "libplait_rt"));
  test_stl(build(tools, "stl", true, stl_source().c_str(), "libplait_rt"));
  test_symbols(tools);
  const Module null = build(tools, "access", false, kAccessSource, "libplait_rt_null");
  reset();
  null.get<void(void*, void*)>("struct_copy")(g_memory, g_memory + 64);
  null.get<void*(void*, int, size_t)>("fill")(g_memory, 1, 77);
  uint32_t word = 4;
  EXPECT(null.get<uint32_t(uint32_t*, uint32_t)>("atomic32_fetch_add")(&word, 3) == 4 && word == 7);
  EXPECT(g.events.empty() && g_memory[76] == 1);
  if (with_bench) {
    bench(access, (tools.name + " announced").c_str());
    bench(null, (tools.name + " null hooks").c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: runtime_test <folder with libplait_rt*.a> <repository> [bench]\n");
    return 2;
  }
  g_archives = argv[1];
  g_repository = argv[2];
  const Folder folder("runtime_test");
  g_folder = folder.path;
  for (const Toolchain& tools : toolchains()) test_toolchain(tools, argc > 3);
  std::printf(g_failures == 0 ? "ok\n" : "%d failures\n", g_failures);
  return g_failures == 0 ? 0 : 1;
}
