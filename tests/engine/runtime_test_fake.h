// SPDX-License-Identifier: Apache-2.0
//
// The engine as runtime_test.cc plays it: a table whose functions write down what they are told, and do the least
// that lets the target go on.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tsan/table.h"

using namespace plait;

namespace {

int g_failures = 0;
std::string g_where;

#define EXPECT(condition)                                                                                  \
  do {                                                                                                     \
    if (!(condition)) {                                                                                    \
      ++g_failures;                                                                                        \
      std::fprintf(stderr, "%s:%d: [%s] not true: %s\n", __FILE__, __LINE__, g_where.c_str(), #condition); \
    }                                                                                                      \
  } while (false)

struct Event {
  uintptr_t address;
  size_t size;
  uint32_t kind;
  uintptr_t pc;
  uint64_t before;  // what a write of at most 8 bytes goes over
};

struct Fake {
  Hot hot{};
  std::vector<Event> events;
  std::vector<std::string> calls;
  std::set<void*> heap;
  bool out_of_memory = false;
  bool jump_allowed = true;
  Death death{};
  std::string death_text;
  uintptr_t pc = 0;
  bool may_die = false;
  std::jmp_buf after_death;
} g;

template <typename... Arguments>
void called(const char* name, uintptr_t pc, Arguments... arguments) {
  std::ostringstream line;
  line << name;
  ((line << ' ' << arguments), ...);
  g.calls.push_back(line.str());
  g.pc = pc;
}

void fake_access(uintptr_t at, size_t size, uint32_t kind, uintptr_t pc) {
  uint64_t before = 0;
  if ((kind & kWrite) != 0 && size <= sizeof before) std::memcpy(&before, reinterpret_cast<const void*>(at), size);
  g.events.push_back({at, size, kind, pc, before});
}

void* fake_heap_alloc(size_t size, size_t alignment, uintptr_t pc) {
  called("heap_alloc", pc, size, alignment);
  if (g.out_of_memory) return nullptr;
  void* const block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  std::memset(block, 0xa5, size);
  g.heap.insert(block);
  return block;
}

void fake_heap_free(void* block, uintptr_t pc) {
  called("heap_free", pc);
  EXPECT(g.heap.erase(block) == 1);
  std::free(block);
}

void fake_die(Death how, const char* text, const char*, uint32_t, uintptr_t pc) {
  g.death = how;
  g.death_text = text == nullptr ? "" : text;
  g.pc = pc;
  if (!g.may_die) {
    std::fprintf(stderr, "[%s] unexpected death %u: %s\n", g_where.c_str(), static_cast<unsigned>(how), text);
    std::exit(1);
  }
  std::longjmp(g.after_death, 1);
}

RuntimeTable make_table() {
  RuntimeTable t{};
  t.abi = kRuntimeAbi;
  t.hot = &g.hot;
  t.access = fake_access;
  t.fence = [](uint32_t order, uintptr_t pc) { called("fence", pc, order); };
  t.irq_save = [](uintptr_t pc) -> uint32_t { return called("irq_save", pc), 7; };
  t.irq_restore = [](uint32_t flags, uintptr_t pc) { called("irq_restore", pc, flags); };
  t.irq_off = [](uintptr_t pc) { called("irq_off", pc); };
  t.irq_on = [](uintptr_t pc) { called("irq_on", pc); };
  t.irq_enabled = [] { return true; };
  t.preempt_disable = [](uintptr_t pc) { called("preempt_disable", pc); };
  t.preempt_enable = [](uintptr_t pc) { called("preempt_enable", pc); };
  t.preemptible = [] { return true; };
  t.cpu_id = [](uintptr_t pc) -> uint32_t { return called("cpu_id", pc), 3; };
  t.cpu_count = []() -> uint32_t { return 4; };
  t.in_handler = [] { return true; };
  t.spin_lock = [](plait_spinlock*, uintptr_t pc) { called("spin_lock", pc); };
  t.spin_trylock = [](plait_spinlock*, uintptr_t pc) { return called("spin_trylock", pc), true; };
  t.spin_unlock = [](plait_spinlock*, uintptr_t pc) { called("spin_unlock", pc); };
  t.mutex_lock = [](plait_mutex*, uintptr_t pc) { called("mutex_lock", pc); };
  t.mutex_trylock = [](plait_mutex*, uintptr_t pc) { return called("mutex_trylock", pc), true; };
  t.mutex_unlock = [](plait_mutex*, uintptr_t pc) { called("mutex_unlock", pc); };
  t.wait = [](plait_wait_queue*, uintptr_t pc) { called("wait", pc); };
  t.wait_prepare = [](plait_wait_queue*, uintptr_t pc) { called("wait_prepare", pc); };
  t.wait_commit = [](plait_wait_queue*, uintptr_t pc) { called("wait_commit", pc); };
  t.wait_cancel = [](plait_wait_queue*, uintptr_t pc) { called("wait_cancel", pc); };
  t.wait_mutex = [](plait_wait_queue*, plait_mutex*, uintptr_t pc) { called("wait_mutex", pc); };
  t.wake = [](plait_wait_queue*, bool all, uintptr_t pc) { called("wake", pc, all); };
  t.sem_down = [](plait_semaphore*, uintptr_t pc) { called("sem_down", pc); };
  t.sem_trydown = [](plait_semaphore*, uintptr_t pc) { return called("sem_trydown", pc), true; };
  t.sem_up = [](plait_semaphore*, uintptr_t pc) { called("sem_up", pc); };
  t.might_sleep = [](uintptr_t pc) { called("might_sleep", pc); };
  t.worker_start = [](uint32_t cpu, void (*)(void*), void*, uintptr_t pc) { called("worker_start", pc, cpu); };
  t.page_size = []() -> size_t { return 512; };
  t.page_alloc = [](size_t n, uint32_t flags, uintptr_t pc) -> void* { return called("page_alloc", pc, n, flags), &g; };
  t.page_free = [](void* pages, size_t n, uintptr_t pc) { called("page_free", pc, n, pages == &g); };
  t.relax = [](uintptr_t pc) { called("relax", pc); };
  t.report_free = [](const void*, uint32_t cpu, uint32_t home, uintptr_t pc) { called("report_free", pc, cpu, home); };
  t.report_deferred = [](const void*, uintptr_t pc) { called("report_deferred", pc); };
  t.report_page = [](const void*, uintptr_t pc) { called("report_page", pc); };
  t.is_live = [](const void*) { return true; };
  t.heap_alloc = fake_heap_alloc;
  t.heap_free = fake_heap_free;
  t.heap_size = [](const void*) -> size_t { return 16; };
  t.die = fake_die;
  t.setjmp_note = [](const void*, uintptr_t frame) { called("setjmp_note", frame); };
  t.longjmp_ok = [](const void*) { return g.jump_allowed; };
  t.throw_note = [](uintptr_t pc) { called("throw_note", pc); };
  return t;
}

// The test's own stack is the context's; everything else is announced, because there is no fuel.
void reset() {
  char here;
  g.hot = Hot{};
  g.hot.stack_lo = reinterpret_cast<uintptr_t>(&here) - (size_t{256} << 10);
  g.hot.stack_size = size_t{512} << 10;
  g.hot.write_ok = g.hot.arena_ok = 1u << kStateBits | kOwned;
  g.events.clear();
  g.calls.clear();
  g.out_of_memory = false;
  g.jump_allowed = true;
}

}  // namespace
