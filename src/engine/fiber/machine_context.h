// SPDX-License-Identifier: Apache-2.0
//
// The registers of interrupted code, as a signal handler finds and changes them: all of crash containment that depends
// on the processor.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace plait {

#if defined(__x86_64__)

inline uintptr_t pc_of(const ucontext_t& context) {
  return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
}
inline uintptr_t sp_of(const ucontext_t& context) {
  return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
}
inline void set_pc(ucontext_t& context, uintptr_t pc) {
  context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(pc);
}
// The interrupted code goes on as if `function` had just been called on the stack that ends at `top`, by nobody.
inline void redirect(ucontext_t& context, void (*function)(), uintptr_t top) {
  constexpr greg_t kTrap = 1 << 8, kDirection = 1 << 10, kAlignmentCheck = 1 << 18;
  top &= ~uintptr_t{15};
  *reinterpret_cast<uintptr_t*>(top - 8) = 0;  // return address
  greg_t* const registers = context.uc_mcontext.gregs;
  registers[REG_RSP] = static_cast<greg_t>(top - 8);
  registers[REG_RBP] = 0;
  registers[REG_EFL] &= ~(kTrap | kDirection | kAlignmentCheck);
  set_pc(context, reinterpret_cast<uintptr_t>(function));
}

struct FloatModes {
  uint32_t sse = 0;
  uint16_t x87 = 0;
};
inline FloatModes float_modes() {
  FloatModes modes;
  __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(modes.sse), "=m"(modes.x87));
  return modes;
}
// Empties the x87 stack as well, where interrupted code may have left numbers and an exception that is still to come.
inline void set_float_modes(const FloatModes& modes) {
  __asm__ volatile("fninit\n\tfldcw %1\n\tldmxcsr %0" : : "m"(modes.sse), "m"(modes.x87));
}

#elif defined(__aarch64__)

inline uintptr_t pc_of(const ucontext_t& context) { return context.uc_mcontext.pc; }
inline uintptr_t sp_of(const ucontext_t& context) { return context.uc_mcontext.sp; }
inline void set_pc(ucontext_t& context, uintptr_t pc) { context.uc_mcontext.pc = pc; }
// The interrupted code goes on as if `function` had just been called on the stack that ends at `top`, by nobody.
inline void redirect(ucontext_t& context, void (*function)(), uintptr_t top) {
  constexpr unsigned long long kBranchType = 3 << 10, kSingleStep = 1 << 21;
  context.uc_mcontext.sp = top & ~uintptr_t{15};
  context.uc_mcontext.regs[29] = 0;
  context.uc_mcontext.regs[30] = 0;
  context.uc_mcontext.pstate &= ~(kBranchType | kSingleStep);
  set_pc(context, reinterpret_cast<uintptr_t>(function));
}

struct FloatModes {
  uint64_t fpcr = 0;
};
inline FloatModes float_modes() {
  FloatModes modes;
  __asm__ volatile("mrs %0, fpcr" : "=r"(modes.fpcr));
  return modes;
}
inline void set_float_modes(const FloatModes& modes) { __asm__ volatile("msr fpcr, %0" : : "r"(modes.fpcr)); }

#else
#error "no crash containment for this processor"
#endif

}  // namespace plait
