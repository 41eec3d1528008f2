// SPDX-License-Identifier: Apache-2.0
//
// Fibers alone: what a switch keeps, what belongs to a fiber (registers, exceptions in flight), where unwinding ends,
// how the stacks lie; and what a switch costs.
#include "fiber/fiber.h"

#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#include "expect.h"

using namespace plait;

namespace {

constexpr size_t kStackBytes = 256 * 1024;

StackRange& stacks() {
  static StackRange range(8, kStackBytes);
  return range;
}

// Fibers that talk to the main stack only, by number.
struct Pair {
  Fiber main;
  Fiber fiber;
  uint64_t count = 0;
  bool done = false;
  std::string log;

  void start(size_t slot, Fiber::Entry entry) {
    fiber.prepare(stacks().stack_lo(slot), stacks().stack_hi(slot), entry, this);
  }
  void enter() { fiber.switch_from(main); }
  void yield() { main.switch_from(fiber); }
  void leave() {
    done = true;
    yield();
  }
};

Pair& pair(void* argument) { return *static_cast<Pair*>(argument); }

// How a child process that runs `body` ends: its status as waitpid gives it.
int status_of(void (*body)()) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    for (const int signal : {SIGSEGV, SIGABRT}) std::signal(signal, SIG_DFL);
    std::freopen("/dev/null", "w", stderr);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}
bool died_of(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

}  // namespace

// ---- switching

TEST(goes_back_and_forth) {
  Pair p;
  p.start(0, [](void* argument) {
    for (;;) {
      ++pair(argument).count;
      pair(argument).yield();
    }
  });
  for (uint64_t i = 1; i <= 1000; ++i) {
    p.enter();
    EXPECT_EQ(p.count, i);
  }
}

TEST(runs_on_its_own_stack_aligned) {
  static uintptr_t where;
  Pair p;
  p.start(3, [](void* argument) {
    where = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    pair(argument).leave();
  });
  p.enter();
  EXPECT(p.done);
  EXPECT(stacks().contains(where));
  EXPECT_EQ(stacks().slot_of(where), 3u);
  EXPECT(!stacks().in_guard(where));
  EXPECT_EQ(where % 16, 0u);
}

TEST(a_ring_of_fibers) {
  static Fiber main_fiber;
  static Fiber ring[4];
  static uint64_t sum;
  static uint64_t rounds;
  sum = rounds = 0;
  for (uintptr_t i = 0; i < 4; ++i) {
    ring[i].prepare(
        stacks().stack_lo(i), stacks().stack_hi(i),
        [](void* argument) {
          const auto self = reinterpret_cast<uintptr_t>(argument);
          for (;;) {
            sum += self;
            if (self == 3 && ++rounds == 1000) main_fiber.switch_from(ring[3]);
            ring[(self + 1) % 4].switch_from(ring[self]);
          }
        },
        reinterpret_cast<void*>(i));
  }
  ring[0].switch_from(main_fiber);
  EXPECT_EQ(sum, 6000u);
}

// Fills the callee-saved registers with values that depend on `seed`, switches, and says whether they are still there.
namespace {
[[gnu::noinline]] bool registers_survive(Fiber& to, Fiber& from, uint64_t seed) {
#if defined(__x86_64__)
  register uint64_t b __asm__("rbx") = seed + 1;
  register uint64_t c __asm__("r12") = seed + 2;
  register uint64_t d __asm__("r13") = seed + 3;
  register uint64_t e __asm__("r14") = seed + 4;
  register uint64_t f __asm__("r15") = seed + 5;
  __asm__ volatile("" : "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  to.switch_from(from);
  __asm__ volatile("" : "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  return b == seed + 1 && c == seed + 2 && d == seed + 3 && e == seed + 4 && f == seed + 5;
#else
  register uint64_t b __asm__("x19") = seed + 1;
  register uint64_t c __asm__("x23") = seed + 2;
  register uint64_t d __asm__("x28") = seed + 3;
  register double e __asm__("d8") = static_cast<double>(seed + 4);
  register double f __asm__("d15") = static_cast<double>(seed + 5);
  __asm__ volatile("" : "+r"(b), "+r"(c), "+r"(d), "+w"(e), "+w"(f));
  to.switch_from(from);
  __asm__ volatile("" : "+r"(b), "+r"(c), "+r"(d), "+w"(e), "+w"(f));
  return b == seed + 1 && c == seed + 2 && d == seed + 3 && e == static_cast<double>(seed + 4) &&
         f == static_cast<double>(seed + 5);
#endif
}
}  // namespace

TEST(keeps_registers) {
  static bool kept;
  kept = true;
  Pair p;
  p.start(0, [](void* argument) {
    for (uint64_t i = 0;; ++i) {
      kept = registers_survive(pair(argument).main, pair(argument).fiber, 1000000 + i) && kept;
    }
  });
  for (uint64_t i = 0; i < 100; ++i) kept = registers_survive(p.fiber, p.main, i) && kept;
  EXPECT(kept);
}

TEST(an_abandoned_fiber_starts_again) {
  Pair p;
  for (int i = 0; i < 20000; ++i) {
    p.start(1, [](void* argument) {
      volatile char frame[512] = {};
      frame[0] = frame[1];
      ++pair(argument).count;
      pair(argument).yield();
      pair(argument).count = 1u << 30;
    });
    p.enter();
  }
  EXPECT_EQ(p.count, 20000u);
}

TEST(works_on_another_thread) {
  Pair p;
  p.start(2, [](void* argument) {
    for (;;) {
      ++pair(argument).count;
      pair(argument).yield();
    }
  });
  p.enter();
  std::thread([&p] { p.enter(); }).join();
  p.enter();
  EXPECT_EQ(p.count, 3u);
}

// ---- exceptions

TEST(the_entry_function_catches) {
  Pair p;
  p.start(0, [](void* argument) {
    try {
      throw std::runtime_error("out of a fiber");
    } catch (const std::exception& error) {
      pair(argument).log = error.what();
    }
    pair(argument).leave();
  });
  p.enter();
  EXPECT_EQ(p.log, "out of a fiber");
}

// Both fibers are inside a handler when the other one runs: rethrowing must find the fiber's own exception.
TEST(exceptions_in_flight_belong_to_the_fiber) {
  static Pair first;
  static Pair second;
  const auto body = [](void* argument) {
    Pair& self = pair(argument);
    try {
      try {
        throw std::runtime_error(&self == &first ? "first" : "second");
      } catch (...) {
        self.yield();
        throw;
      }
    } catch (const std::exception& error) {
      self.log = error.what();
    }
    self.leave();
  };
  first.start(0, body);
  second.start(1, body);
  first.enter();
  second.enter();
  EXPECT(std::current_exception() == nullptr);
  first.enter();
  EXPECT_EQ(first.log, "first");
  second.enter();
  EXPECT_EQ(second.log, "second");
}

TEST(uncaught_exceptions_are_counted_by_fiber) {
  static int in_fiber;
  static int after;
  Pair p;
  p.start(0, [](void* argument) {
    struct YieldsWhenUnwound {
      Pair& self;
      ~YieldsWhenUnwound() {
        in_fiber = std::uncaught_exceptions();
        self.yield();
      }
    };
    try {
      YieldsWhenUnwound object{pair(argument)};
      throw 1;
    } catch (int) {
      after = std::uncaught_exceptions();
    }
    pair(argument).leave();
  });
  p.enter();
  EXPECT_EQ(in_fiber, 1);
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  p.enter();
  EXPECT_EQ(after, 0);
  EXPECT(p.done);
}

TEST(an_exception_past_the_entry_terminates) {
  const int status = status_of([] {
    Pair p;
    p.start(0, [](void*) { throw 1; });
    p.enter();
  });
  EXPECT(died_of(status, SIGABRT));
}

TEST(an_entry_that_returns_is_an_engine_bug) {
  const int status = status_of([] {
    Pair p;
    p.start(0, [](void*) {});
    p.enter();
  });
  EXPECT(died_of(status, SIGABRT));
}

// ---- unwinding

namespace {
struct Walk {
  int frames = 0;
  uintptr_t last = 0;
};
_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  if (const uintptr_t pc = _Unwind_GetIP(context)) walk.last = pc;  // 0 stands for: there is no caller
  return ++walk.frames < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}
Walk g_walk;
}  // namespace

extern "C" void plait_fiber_start();

TEST(unwinding_ends_at_the_start_of_the_fiber) {
  Pair p;
  p.start(0, [](void* argument) {
    _Unwind_Backtrace(note_frame, &g_walk);
    pair(argument).leave();
  });
  p.enter();
  EXPECT(g_walk.frames >= 3);
  EXPECT(g_walk.frames < 10);
  const auto start = reinterpret_cast<uintptr_t>(plait_fiber_start);
  EXPECT(g_walk.last > start && g_walk.last < start + 64);
}

// ---- stacks

TEST(stacks_lie_one_after_another_with_guards) {
  StackRange range(3, 10000);
  EXPECT_EQ(range.count(), 3u);
  EXPECT(range.stack_bytes() >= 10000u);
  EXPECT_EQ(range.stack_bytes() % static_cast<size_t>(sysconf(_SC_PAGESIZE)), 0u);
  EXPECT_EQ(range.stack_hi(2), range.base() + range.size());
  for (size_t slot = 0; slot < 3; ++slot) {
    const uintptr_t lo = range.stack_lo(slot);
    const uintptr_t hi = range.stack_hi(slot);
    EXPECT_EQ(hi - lo, range.stack_bytes());
    EXPECT_EQ(range.slot_of(lo), slot);
    EXPECT_EQ(range.slot_of(hi - 1), slot);
    EXPECT_EQ(range.slot_of(lo - 1), slot);
    EXPECT(!range.in_guard(lo) && !range.in_guard(hi - 1));
    EXPECT(range.in_guard(lo - 1) && range.in_guard(lo - StackRange::kGuardBytes));
    std::memset(reinterpret_cast<void*>(lo), 0x5a, hi - lo);
  }
  EXPECT(!range.contains(range.base() - 1) && !range.contains(range.base() + range.size()));
  EXPECT(!range.in_guard(range.base() - 1) && !range.in_guard(range.base() + range.size()));
}

TEST(the_guard_stops_an_overflow) {
  const int status = status_of([] {
    *reinterpret_cast<volatile char*>(stacks().stack_lo(1) - 1) = 1;  // not the end of stack 0
  });
  EXPECT(died_of(status, SIGSEGV) || (WIFEXITED(status) && WEXITSTATUS(status) != 0));
}

// ---- cost

namespace {
// As the machine does it: all fibers leave from the same place, which the return predictor of a processor likes.
Fiber g_main;
Fiber g_two[2];
uint32_t g_running;
uint64_t g_switches;
constexpr uint64_t kBatch = 50000;

[[gnu::noinline]] void to_the_other() {
  Fiber& from = g_two[g_running];
  g_running ^= 1;
  g_two[g_running].switch_from(from);
}
void keep_switching(void*) {
  for (;;) {
    to_the_other();
    if (++g_switches % kBatch == 0) g_main.switch_from(g_two[g_running]);
  }
}

// The least of many batches, in ns a call: other processes on the machine only ever add.
template <typename Batch>
double least_ns(uint64_t calls, const Batch& batch) {
  double least = 1e9;
  for (int i = 0; i < 50; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    batch();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    if (spent.count() / static_cast<double>(calls) < least) least = spent.count() / static_cast<double>(calls);
  }
  return least;
}
}  // namespace

TEST(cost_of_a_switch) {
  for (size_t i = 0; i < 2; ++i) g_two[i].prepare(stacks().stack_lo(i), stacks().stack_hi(i), keep_switching, nullptr);
  g_running = 0;
  std::printf("fiber to fiber: %.2f ns\n", least_ns(kBatch, [] { g_two[g_running].switch_from(g_main); }));

  static Pair p;
  p.start(2, [](void* argument) {
    for (;;) pair(argument).yield();
  });
  std::printf("main to fiber to main: %.2f ns\n", least_ns(kBatch, [] {
    for (uint64_t i = 0; i < kBatch; ++i) p.enter();
  }));
}
