// SPDX-License-Identifier: Apache-2.0
//
// Watched places: a strategy that wants to be left alone is asked all the same before each step on one of them, whatever
// becomes of the memory there; and after the execution nothing of it is left.
#include "expect.h"
#include "machine/machine.h"
#include "toy.h"

using namespace plait;
using namespace plait::toy;

namespace {

uintptr_t granule_of(const void* address) { return reinterpret_cast<uintptr_t>(address) >> kGranuleShift; }

// Takes defaults for ever, and notes before which granules it was asked.
class Watcher final : public Strategy {
 public:
  explicit Watcher(std::vector<uintptr_t> granules) : granules_(std::move(granules)) {}

  void begin(uint64_t, uint32_t) override {
    asked.clear();
    first_ = true;
  }
  Choice choose(Moves& moves, const Point& point) override {
    if (first_) {
      first_ = false;
      if (!granules_.empty()) moves.watch(granules_);
    } else if (!point.forced) {
      asked.push_back(moves.next(moves.all()[0]).granule);
    }
    return {0, kForever, Until::kOver};
  }
  std::vector<uintptr_t> asked;

 private:
  std::vector<uintptr_t> granules_;
  bool first_ = true;
};

std::vector<uintptr_t> asked(Bench& bench, std::vector<uintptr_t> granules) {
  Watcher watcher{std::move(granules)};
  const Outcome outcome = bench.get().run(watcher, 0, {bench.limits, false, false});
  EXPECT(outcome.verdict == VerdictKind::kPassed);
  return watcher.asked;
}

}  // namespace

TEST(steps_on_watched_places_are_asked_about_and_no_others) {
  Bench bench;
  bench.with_page();
  bench.add_task(0);
  on_alloc = [](size_t size) {
    store(&g.words[9], load(&g.words[8]));
    store(&g.words[8], load(&g.words[7]));
    machine->spin_lock(&g.spin[0], 0);
    machine->spin_unlock(&g.spin[0], 0);
    return bump(size);
  };
  bench.get().load(bench.scenario, bench.limits);
  const uintptr_t word = granule_of(&g.words[8]);
  const uintptr_t lock = granule_of(&g.spin[0]);
  EXPECT((asked(bench, {word}) == std::vector<uintptr_t>{word, word}));
  EXPECT((asked(bench, {lock, word}) == std::vector<uintptr_t>{word, word, lock, lock}));
  EXPECT(asked(bench, {}).empty());
}

TEST(a_page_that_is_handed_out_later_is_watched) {
  Bench bench;
  bench.add_task(0, 2);
  static uint64_t* page;
  on_alloc = [](size_t) -> void* {
    page = static_cast<uint64_t*>(machine->page_alloc(1, 0, 0));
    store(page + 1, 1);
    store(page + 2, load(page + 1));
    return page + 8;
  };
  bench.get().load(bench.scenario, bench.limits);
  asked(bench, {});
  const uintptr_t there = granule_of(page + 1);  // of the second page
  EXPECT((asked(bench, {there}) == std::vector<uintptr_t>{there, there}));
  EXPECT(asked(bench, {}).empty());
}

TEST(objects_that_come_and_go_leave_nothing_behind) {
  Bench bench;
  bench.with_page();
  bench.add_task(0, 1);
  bench.scenario.tasks[0].operations.push_back({OperationKind::kFree, 0, 0});
  static uint64_t* object;
  on_alloc = [](size_t size) {
    object = static_cast<uint64_t*>(bump(size));
    return static_cast<void*>(object);
  };
  on_free = [](void*) {
    store(object, 1);
    store(object + 1, 2);
    return 0;
  };
  bench.get().load(bench.scenario, bench.limits);
  asked(bench, {});
  const uintptr_t first = granule_of(object);
  for (int round = 0; round < 3; ++round) {
    // It was live in between, and has become the target's again when free stores to it. What alloc returned, and the call
    // of free and its return, are about it as well.
    EXPECT((asked(bench, {first}) == std::vector<uintptr_t>(4, first)));
    EXPECT(asked(bench, {}).empty());
  }
  bench.get().memory().rollback();
  for (uint64_t* word : {object, object + 1}) {
    EXPECT((*bench.get().memory().meta(reinterpret_cast<uintptr_t>(word)) & kStateMask) == kOwned);
  }
}
