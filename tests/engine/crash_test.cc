// SPDX-License-Identifier: Apache-2.0
//
// Crash containment: every sort of crash lands, thousands of times in a row without growing; what is not contained
// goes where it went before; the watchdog finds loops and nothing else.
#include "crash_rig.h"

using namespace plait;
using namespace crash_rig;

TEST(every_crash_lands_thousands_of_times) {
  for (const Kind& kind : kKinds) {
    int landed = 0;
    for (int i = 0; i < 100; ++i) landed += box().crashes(kind.body);
    const size_t before = resident_kib();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kManyTimes; ++i) {
      landed += box().crashes(kind.body) && box().crash.signal == kind.signal && !box().crash.hang;
    }
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    const size_t after = resident_kib();
    std::printf("%-20s %5.2f us\n", kind.name, spent.count() / kManyTimes);
    if (landed != kManyTimes + 100) expect::fail(__FILE__, __LINE__, std::string(kind.name) + ": not all landed");
    if (after > before + kGrowthKib) expect::fail(__FILE__, __LINE__, std::string(kind.name) + ": memory grew");
  }
  EXPECT(!box().crashes(nothing));
}

TEST(says_what_and_where) {
  g_address = 8;
  EXPECT(box().crashes(load_null));
  EXPECT_EQ(box().crash.address, 8u);
  EXPECT(box().crash.pc - reinterpret_cast<uintptr_t>(load_null) < 200);
  EXPECT(box().stacks.contains(box().crash.sp));
  g_address = 0;
  EXPECT(box().crashes(store_in_guard));
  EXPECT(box().stacks.in_guard(box().crash.address));
  EXPECT(box().crashes(overflow_stack));
  EXPECT(box().stacks.in_guard(box().crash.address));
  EXPECT_EQ(box().stacks.slot_of(box().crash.address), 1u);
  EXPECT(box().crashes(jump_to_zero));
  EXPECT_EQ(box().crash.pc, 0u);
  EXPECT_EQ(box().crash.address, 0u);
  EXPECT(box().crash.return_address - reinterpret_cast<uintptr_t>(jump_to_zero) < 200);
#if defined(__x86_64__)
  EXPECT(box().crashes(load_uncanonical));
  EXPECT_EQ(box().crash.address, Crash::kNoAddress);
  EXPECT(box().crashes(lose_stack_pointer));
  EXPECT_EQ(box().crash.return_address, 0u);  // could not be read
#endif
}

TEST(the_landing_is_ordinary_code) {
  static bool caught;
  static uintptr_t where;
  static sigset_t mask;
  static volatile double third;
  static Fiber main;
  static Fiber fiber;
  static Fiber landing;
  const auto on_crash = [](void*, const Crash&) {
    where = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    third = 1.0;
    third = third / 3.0;
    try {
      throw std::runtime_error("on the landing");
    } catch (const std::exception&) {
      caught = true;
    }
    EXPECT(!CrashGuard::armed());
    main.switch_from(landing);
  };
  fiber.prepare(box().stacks.stack_lo(0), box().stacks.stack_hi(0), [](void*) { load_null(); }, nullptr);
  CrashGuard::install();
  CrashGuard::arm(on_crash, nullptr, nullptr, 0);
  EXPECT(CrashGuard::armed());
  fiber.switch_from(main);
  EXPECT(caught);
  EXPECT_EQ(where % 16, 0u);
  EXPECT(third > 0.33 && third < 0.34);
  EXPECT(!box().stacks.contains(where));
  EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
  EXPECT_EQ(sigismember(&mask, SIGABRT), 0);
  stack_t stack{};
  sigaltstack(nullptr, &stack);
  EXPECT(!(stack.ss_flags & SS_ONSTACK));
}

TEST(works_on_several_threads_in_turn) {
  for (int i = 0; i < 50; ++i) {
    std::thread([] {
      EXPECT(box().crashes(load_null));
      EXPECT(box().crashes(overflow_stack));
      EXPECT(!box().crashes(nothing, 50));
    }).join();
  }
  EXPECT(box().crashes(load_null));
}

// ---- what is not contained

TEST(not_armed_it_kills_as_before) {
  if constexpr (asan::kOn) return;  // it has handlers of its own
  for (const Kind& kind : kKinds) {
    static void (*body)();
    body = kind.body;
    EXPECT(died_of(status_of([] {
      CrashGuard::install();
      box().crashes(load_null);
      body = body == store_in_guard || body == overflow_stack ? load_null : body;
      body();
    }), kind.signal));
  }
}

TEST(another_thread_is_not_contained) {
  const int status = status_of([] {
    box().crashes([] { std::thread(load_null).join(); });
  });
  EXPECT(died_of(status, SIGSEGV) || (asan::kOn && exit_of(status) > 0));
}

TEST(a_signal_from_another_process_is_not_contained) {
  const int status = status_of([] {
    box().crashes([] {
      const pid_t parent = getpid();
      if (fork() == 0) {
        kill(parent, SIGABRT);
        _exit(0);
      }
      for (;;) pause();
    });
  });
  EXPECT(died_of(status, SIGABRT));
}

TEST(previous_handlers_are_called) {
  static volatile int seen;
  EXPECT_EQ(exit_of(status_of([] {  // with SA_SIGINFO: gets everything
    CrashGuard::uninstall();
    struct sigaction action {};
    action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
      const bool good = signal == SIGSEGV && info->si_addr == reinterpret_cast<void*>(16) && context != nullptr;
      _exit(good ? 42 : 1);
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    EXPECT(box().crashes(load_null));
    g_address = 16;
    load_null();
  })), 42);
  EXPECT_EQ(exit_of(status_of([] {  // without: gets the number; comes back; once
    CrashGuard::uninstall();
    struct sigaction action {};
    action.sa_handler = [](int signal) { seen = seen + signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGABRT, &action, nullptr);
    EXPECT(box().crashes(raise_abort));
    raise(SIGABRT);
    EXPECT_EQ(seen, SIGABRT);
    if (status_of([] { raise(SIGABRT); }) != SIGABRT) _exit(1);
    _exit(expect::g_failures == 0 ? 43 : 2);
  })), 43);
  EXPECT_EQ(exit_of(status_of([] {  // ignored
    CrashGuard::uninstall();
    std::signal(SIGTRAP, SIG_IGN);
    EXPECT(box().crashes(load_null));
    raise(SIGTRAP);
    _exit(expect::g_failures == 0 ? 44 : 2);
  })), 44);
}

// faulthandler: its handler puts the handler before it back and raises the signal again.
namespace {
struct sigaction g_before_polite;
volatile int g_polite_calls;
void polite_handler(int signal) {
  g_polite_calls = g_polite_calls + 1;
  sigaction(signal, &g_before_polite, nullptr);
  raise(signal);
}
void install_polite() {
  struct sigaction action {};
  action.sa_handler = polite_handler;
  action.sa_flags = SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &g_before_polite);
}
}  // namespace

TEST(faulthandler_before_us_and_after_us) {
  if constexpr (asan::kOn) return;
  EXPECT(died_of(status_of([] {
    CrashGuard::uninstall();
    std::signal(SIGSEGV, SIG_DFL);
    install_polite();
    for (int i = 0; i < 10; ++i) EXPECT(box().crashes(load_null));
    if (g_polite_calls != 0 || expect::g_failures != 0) _exit(1);
    load_null();
  }), SIGSEGV));
  EXPECT(died_of(status_of([] {
    CrashGuard::install();
    install_polite();
    for (int i = 0; i < 10; ++i) EXPECT(box().crashes(load_null));  // the first goes through it
    if (g_polite_calls != 1 || expect::g_failures != 0) _exit(1);
    install_polite();
    for (int i = 0; i < 5000; ++i) CrashGuard::install();  // a check finds us second
    for (int i = 0; i < 10; ++i) EXPECT(box().crashes(load_null));
    if (g_polite_calls != 1 || expect::g_failures != 0) _exit(2);
    load_null();  // to it, back to us, and out
  }), SIGSEGV));
}

TEST(uninstall_puts_everything_back) {
  EXPECT_EQ(exit_of(status_of([] {
    CrashGuard::uninstall();
    struct sigaction before[65] {};
    struct sigaction after {};
    stack_t stack_before{};
    stack_t stack_after{};
    for (int signal = 1; signal < 65; ++signal) sigaction(signal, nullptr, &before[signal]);
    sigaltstack(nullptr, &stack_before);
    EXPECT(hangs(loop, 10));
    CrashGuard::uninstall();
    for (int signal = 1; signal < 65; ++signal) {
      if (sigaction(signal, nullptr, &after) == 0) EXPECT(before[signal].sa_handler == after.sa_handler);
    }
    sigaltstack(nullptr, &stack_after);
    EXPECT(stack_before.ss_sp == stack_after.ss_sp);
    EXPECT_EQ(stack_before.ss_flags, stack_after.ss_flags);
    for (const double end = cpu_ms() + 50; cpu_ms() < end;) continue;  // no tick is left to kill us
    EXPECT(box().crashes(load_null));                                  // and all over again
    EXPECT(hangs(loop, 10));
    CrashGuard::uninstall();
    CrashGuard::uninstall();
    _exit(expect::g_failures == 0 ? 45 : 2);
  })), 45);
}

TEST(a_forked_child_installs_anew) {
  EXPECT(hangs(loop, 10));
  EXPECT_EQ(exit_of(status_of([] {
    EXPECT(box().crashes(load_null));
    EXPECT(hangs(loop, 10));
    EXPECT(box().crashes(overflow_stack));
    _exit(expect::g_failures == 0 ? 46 : 2);
  })), 46);
  EXPECT(hangs(loop, 10));
}

// ---- the watchdog
