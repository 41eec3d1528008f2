// SPDX-License-Identifier: Apache-2.0
#include "fiber/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <exception>
#include <new>

#include "base/check.h"
#include "fiber/asan.h"

extern "C" {
void plait_fiber_switch(void** save_sp, void* load_sp);
void plait_fiber_start();
}

namespace plait {
namespace {

// __cxa_eh_globals, as the Itanium C++ ABI lays it out (2.2.2).
struct EhGlobals {
  void* caught;
  unsigned uncaught;
};

// The fiber that the switch in progress leaves; only AddressSanitizer is interested.
thread_local Fiber* t_leaving = nullptr;

}  // namespace

// ---- stacks

StackRange::StackRange(size_t count, size_t stack_bytes) : count_(count) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  ENGINE_CHECK(kGuardBytes % page == 0);
  stack_bytes_ = (stack_bytes + page - 1) / page * page;
  void* const range = mmap(nullptr, size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  base_ = reinterpret_cast<uintptr_t>(range);
  for (size_t slot = 0; slot < count_; ++slot) {
    if (mprotect(reinterpret_cast<void*>(stack_lo(slot)), stack_bytes_, PROT_READ | PROT_WRITE) == 0) continue;
    munmap(range, size());
    throw std::bad_alloc();
  }
}

StackRange::~StackRange() {
  asan::abandon_frames(base_, base_ + size());
  munmap(reinterpret_cast<void*>(base_), size());
}

bool StackRange::in_guard(uintptr_t address) const {
  return contains(address) && (address - base_) % (kGuardBytes + stack_bytes_) < kGuardBytes;
}

// ---- fibers

struct FiberAccess {
  // First thing on the stack that was switched to. A fiber that was not prepared stands for a stack that somebody
  // else made (a thread's, the landing's); where that lies is known from here on.
  static void arrive(Fiber& here) {
    const void* lo = nullptr;
    size_t size = 0;
    asan::arrive(here.asan_fake_stack_, &lo, &size);
    here.asan_fake_stack_ = nullptr;
    if (t_leaving->entry_) return;
    t_leaving->stack_lo_ = reinterpret_cast<uintptr_t>(lo);
    t_leaving->stack_hi_ = t_leaving->stack_lo_ + size;
  }

  // An exception that gets past the entry function has nowhere to go: noexcept ends it in std::terminate.
  static void main(Fiber* fiber) noexcept {
    if constexpr (asan::kOn) arrive(*fiber);
    fiber->entry_(fiber->argument_);
    ENGINE_CHECK(!"the entry function of a fiber returned");
  }
};

void Fiber::prepare(uintptr_t stack_lo, uintptr_t stack_hi, Entry entry, void* argument) {
  stack_lo_ = stack_lo;
  stack_hi_ = stack_hi;
  entry_ = entry;
  argument_ = argument;
  eh_caught_ = nullptr;
  eh_uncaught_ = 0;
  asan::abandon_frames(stack_lo, stack_hi);
  void (*const first)(Fiber*) = FiberAccess::main;
  uintptr_t* sp = reinterpret_cast<uintptr_t*>(stack_hi & ~uintptr_t{15});
  // The frame that plait_fiber_switch expects (see there), above it zeros for whoever walks the stack without unwind
  // information.
  *--sp = 0;
  *--sp = 0;
#if defined(__x86_64__)
  *--sp = reinterpret_cast<uintptr_t>(plait_fiber_start);
  *--sp = reinterpret_cast<uintptr_t>(first);  // rbp
  *--sp = reinterpret_cast<uintptr_t>(this);   // rbx
  for (int i = 0; i < 4; ++i) *--sp = 0;       // r12 to r15
#elif defined(__aarch64__)
  for (int i = 0; i < 16; ++i) *--sp = 0;  // x21 to x28, d8 to d15
  *--sp = reinterpret_cast<uintptr_t>(first);
  *--sp = reinterpret_cast<uintptr_t>(this);
  *--sp = reinterpret_cast<uintptr_t>(plait_fiber_start);
  *--sp = 0;  // x29
#else
#error "no fiber switch for this processor"
#endif
  saved_sp_ = sp;
}

// Asking for the thread's exception state costs more than the switch, so only a thread's own stack asks, each time
// (it may be another thread's than last time), and fibers hand it on.
void Fiber::switch_from(Fiber& from) {
  eh_globals_ = from.entry_ ? from.eh_globals_ : abi::__cxa_get_globals();
  auto& globals = *static_cast<EhGlobals*>(eh_globals_);
  from.eh_caught_ = globals.caught;
  from.eh_uncaught_ = globals.uncaught;
  globals.caught = eh_caught_;
  globals.uncaught = eh_uncaught_;
  if constexpr (asan::kOn) {
    t_leaving = &from;
    // Who has one saved and yet runs is a landing, which begins anew each time: it needs no second one.
    asan::leave(from.asan_fake_stack_ ? nullptr : &from.asan_fake_stack_, stack_lo_, stack_hi_);
  }
  plait_fiber_switch(&from.saved_sp_, saved_sp_);
  if constexpr (asan::kOn) FiberAccess::arrive(from);
}

}  // namespace plait
