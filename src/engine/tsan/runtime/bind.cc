// SPDX-License-Identifier: Apache-2.0
//
// The state of the runtime in one target: the way into the engine, and what holds before there is one. dlopen runs
// the target's static constructors before plait_bind; they are instrumented as well and have to work.
#include "rt.h"

#include <unistd.h>

extern "C" {

static plait::Hot plait_rt_unbound_hot = {.fuel = 0,
                                          .stack_lo = 0,
                                          .stack_size = UINTPTR_MAX,
                                          .stack_limit = 0,
                                          .arena_base = 0,
                                          .arena_size = 0,
                                          .arena_meta = nullptr,
                                          .data_base = 0,
                                          .data_size = 0,
                                          .data_meta = nullptr,
                                          .write_ok = plait::kOwned,
                                          .arena_ok = plait::kOwned,
                                          .writes = 0,
                                          .arena_cells = nullptr,
                                          .data_cells = nullptr,
                                          .order_seen = nullptr,
                                          .order_stamp = 0,
                                          .order_base = 0,
                                          .code_base = 0};
plait::Hot* plait_rt_hot = &plait_rt_unbound_hot;
const plait::RuntimeTable* plait_rt_table = nullptr;

[[noreturn]] void __real_abort();

static void complain(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') {
    PLAIT_PLAIN_LOOP;
    ++length;
  }
  // The process ends next; there is nobody to tell that the message did not get out.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, length);
}

void plait_rt_unbound() {
  complain("plait: a static constructor of the target calls the kernel: move that into the target's init\n");
  __real_abort();
}

void plait_rt_die(plait::Death how, const char* text, const char* file, uint32_t line, uintptr_t pc) {
  if (plait_rt_table == nullptr) __real_abort();
  plait_rt_table->die(how, text, file, line, pc);
  __builtin_trap();
}

// Memory of the C and C++ libraries that is the running context's alone: exceptions in flight, errno. Like a stack it
// is not visible; unlike one it is not restored, and need not be.
struct plait_rt_block {
  uintptr_t base;
  size_t size;
};
static plait_rt_block own_blocks[16];
static uint32_t own_blocks_noted;

void plait_rt_note_own(const void* block, size_t size) {
  const auto base = reinterpret_cast<uintptr_t>(block);
  for (plait_rt_block& known : own_blocks) {
    if (known.base == base && known.size >= size) return;
  }
  plait_rt_block& oldest = own_blocks[own_blocks_noted++ % 16];
  oldest.base = base;
  oldest.size = size;
}

void plait_rt_access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (own_blocks_noted != 0) [[unlikely]] {
    for (const plait_rt_block& block : own_blocks) {
      if (address - block.base < block.size) return;
    }
  }
  if (plait_rt_table == nullptr) [[unlikely]]
    return;
  plait_rt_table->access(address, size, kind, pc);
}

void plait_rt_overflow(uintptr_t pc) { plait_rt_die(plait::Death::kStackOverflow, nullptr, nullptr, 0, pc); }

void plait_rt_order(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  plait_rt_table->order(address, size, kind, pc);
}

__attribute__((visibility("default"))) void plait_bind(const plait::RuntimeTable* table) {
  if (table->abi != plait::kRuntimeAbi) {
    complain("plait: the target was linked with another version of the runtime: build it again\n");
    __real_abort();
  }
  plait_rt_table = table;
  plait_rt_hot = table->hot;
}
}
