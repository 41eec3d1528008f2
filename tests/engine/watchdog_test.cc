// SPDX-License-Identifier: Apache-2.0
//
// The watchdog: endless loops without a call of the engine are landed, everything else is left alone.
#include "crash_rig.h"

using namespace plait;
using namespace crash_rig;

TEST(finds_endless_loops) {
  if (!there_are_timers()) return;
  for (int i = 0; i < 10; ++i) {
    const double begin = cpu_ms();
    EXPECT(hangs(loop, 20));
    const double spent = cpu_ms() - begin;
    EXPECT(box().crash.pc - reinterpret_cast<uintptr_t>(loop) < 200);
    EXPECT(spent > 15.0);
    EXPECT(spent < 200.0);
  }
  EXPECT(box().crashes(load_null, 20));
  EXPECT(!box().crash.hang);
}

TEST(progress_and_new_executions_are_no_hang) {
  EXPECT(!box().crashes([] {
    for (const double end = cpu_ms() + 150; cpu_ms() < end;) box().progress = box().progress + 1;
  }, 20));
  for (const double end = cpu_ms() + 150; cpu_ms() < end;) {
    EXPECT(!box().crashes([] {
      for (const double stop = cpu_ms() + 5; cpu_ms() < stop;) continue;
    }, 20));
  }
  EXPECT(!box().crashes([] {  // sleeping is none either
    timespec time{0, 100000000};
    while (nanosleep(&time, &time) != 0) continue;
  }, 20));
  EXPECT(!box().crashes([] {
    for (const double end = cpu_ms() + 100; cpu_ms() < end;) continue;
  }, 0));
}

TEST(ticks_stop_when_nothing_runs) {
  EXPECT(!box().crashes(nothing, 10));
  for (const double end = cpu_ms() + 80; cpu_ms() < end;) continue;
  // Now a sleep of a thread that works in between is not interrupted, in a hundred tries.
  int interrupted = 0;
  for (int i = 0; i < 100; ++i) {
    for (const double end = cpu_ms() + 0.5; cpu_ms() < end;) continue;
    timespec time{0, 100000};
    interrupted += nanosleep(&time, nullptr) != 0 && errno == EINTR;
  }
  EXPECT_EQ(interrupted, 0);
  EXPECT(hangs(loop, 10));
}

TEST(another_limit_takes_effect) {
  EXPECT(hangs(loop, 300));
  const double begin = cpu_ms();
  EXPECT(hangs(loop, 10));
  EXPECT(cpu_ms() - begin < 100);
}

TEST(cost_of_arming) {
  constexpr int kTimes = 1000000;
  const auto landing = [](void*, const Crash&) {};
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) {
    CrashGuard::install();
    CrashGuard::arm(landing, nullptr, &box().progress, 100);
    CrashGuard::disarm();
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  std::printf("install, arm, disarm: %.2f ns\n", spent.count() / kTimes);
}
