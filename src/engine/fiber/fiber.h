// SPDX-License-Identifier: Apache-2.0
//
// Fibers: stackful coroutines that a native frame runs on. A switch saves the callee-saved registers and swaps the
// stack pointer (switch_x86_64.S, switch_aarch64.S); nothing else. Stacks come from one reserved range, so that "is
// this address on a stack, and whose" is arithmetic. Below each stack lies an unmapped guard.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait {

// The stacks of all fibers: `count` slots in one range, each a guard and a stack. Mapped once, reused for ever.
class StackRange {
 public:
  static constexpr size_t kGuardBytes = 64 * 1024;
  StackRange(size_t count, size_t stack_bytes);
  ~StackRange();
  StackRange(const StackRange&) = delete;
  StackRange& operator=(const StackRange&) = delete;

  size_t count() const { return count_; }
  size_t stack_bytes() const { return stack_bytes_; }
  uintptr_t base() const { return base_; }  // of the whole range, guards included
  size_t size() const { return count_ * (kGuardBytes + stack_bytes_); }
  bool contains(uintptr_t address) const { return address - base_ < size(); }
  size_t slot_of(uintptr_t address) const { return (address - base_) / (kGuardBytes + stack_bytes_); }
  bool in_guard(uintptr_t address) const;
  uintptr_t stack_lo(size_t slot) const { return base_ + slot * (kGuardBytes + stack_bytes_) + kGuardBytes; }
  uintptr_t stack_hi(size_t slot) const { return stack_lo(slot) + stack_bytes_; }

 private:
  uintptr_t base_ = 0;
  size_t count_ = 0;
  size_t stack_bytes_ = 0;
};

// A place to switch to. Default-constructed it stands for the thread's own stack (the first switch_to fills it in).
class Fiber {
 public:
  using Entry = void (*)(void* argument);

  Fiber() = default;
  // (Re)starts the fiber on the given stack: whatever ran there is abandoned, without unwinding. `entry` must never
  // return. Cheap: writes a dozen words.
  void prepare(uintptr_t stack_lo, uintptr_t stack_hi, Entry entry, void* argument);
  // Leaves the running fiber `from` (which must be the one that runs) and continues this one.
  void switch_from(Fiber& from);

  uintptr_t stack_lo() const { return stack_lo_; }
  uintptr_t stack_hi() const { return stack_hi_; }

 private:
  void* saved_sp_ = nullptr;
  uintptr_t stack_lo_ = 0;
  uintptr_t stack_hi_ = 0;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* asan_fake_stack_ = nullptr;
  // What the C++ runtime keeps per thread about exceptions in flight belongs to the fiber.
  void* eh_caught_ = nullptr;
  unsigned eh_uncaught_ = 0;
  void* eh_globals_ = nullptr;  // of the thread that runs this fiber; handed on from fiber to fiber
  friend struct FiberAccess;
};

}  // namespace plait
