// SPDX-License-Identifier: Apache-2.0
//
// How an execution ends early: a failure with its evidence, a give-up, or a crash of the target's code that the crash
// guard caught. All of them leave the running fiber for good.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "machine/machine.h"

namespace plait {
namespace {

// Evidence of a hang: where the timer happened to find the loop, anywhere in it. plait.check knows this word.
constexpr std::string_view kHang = "hang";

Text hex(uint64_t value) { return "0x" + Text::of(value, 16); }

}  // namespace

uint64_t Machine::encode(uintptr_t address) const {
  const auto tagged = [](AddressTag tag, uint64_t offset) { return (uint64_t{tag} << kTagShift) | offset; };
  if (memory_.in_globals(address)) return tagged(kModule, target_.load_size + memory_.offset(address) - Memory::kGlobals);
  if (memory_.in_arena(address)) return tagged(kArena, memory_.offset(address));
  if (address - target_.load_base < target_.load_size) return tagged(kModule, address - target_.load_base);
  if (stacks_.contains(address)) {
    const size_t slot = stacks_.slot_of(address);
    return tagged(kStack, uint64_t{slot} << 32 | ((address - stacks_.stack_lo(slot)) & 0xffffffffu));
  }
  return address & ((uint64_t{1} << kTagShift) - 1);
}

// Of what has a place in the module.
uintptr_t Machine::decode(uint64_t place) const {
  if (place >> kTagShift != kModule) return 0;
  const uint64_t offset = place & ((uint64_t{1} << kTagShift) - 1);
  return offset < target_.load_size ? target_.load_base + offset : memory_.globals() + offset - target_.load_size;
}

Text Machine::place_name(uintptr_t address) const {
  if (memory_.in_globals(address)) {
    return "global at module+" + hex(target_.load_size + memory_.offset(address) - Memory::kGlobals);
  }
  if (memory_.in_arena(address)) return hex(memory_.offset(address));
  if (address - target_.load_base < target_.load_size) return "global at module+" + hex(address - target_.load_base);
  if (stacks_.contains(address)) return "the stack of " + context_name(static_cast<int>(stacks_.slot_of(address)));
  if (address == 0) return "null";
  if (address < 4096) return "null + " + Text::of(address);
  return "a wild address";
}

uint64_t Machine::relative(uintptr_t pc) const {
  return pc - target_.load_base < target_.code_span() ? pc - target_.load_base : 0;
}

bool Machine::in_code(uintptr_t pc) const {
  for (const AddressRange& range : target_.code) {
    if (range.contains(pc)) return true;
  }
  return false;
}

Evidence Machine::here(uintptr_t pc, std::string_view what) {
  Evidence evidence;
  if (current_ && current_->slot != 0) {
    evidence.has_context = true;
    evidence.context = current_->id;
    evidence.cpu = static_cast<int>(current_->cpu);
  }
  evidence.pc = relative(pc);
  evidence.what = what;
  return evidence;
}

Evidence Machine::there(const Context& context, std::string_view what) {
  Evidence evidence;
  evidence.has_context = true;
  evidence.context = context.id;
  evidence.cpu = static_cast<int>(context.cpu);
  evidence.pc = relative(context.pending.pc);
  evidence.what = what;
  return evidence;
}

uint64_t Machine::cause_hash(const Failure& failure) const {
  uint64_t hash = mix(0x6361757365, static_cast<uint64_t>(failure.kind));
  if (is_race(failure.kind) && failure.evidence.size() == 2) {  // of the same two places, whichever came first
    const auto [low, high] = std::minmax(failure.evidence[0].pc, failure.evidence[1].pc);
    return mix(mix(hash, low), high);
  }
  for (const Evidence& evidence : failure.evidence) hash = mix(hash, evidence.what == kHang ? 0 : evidence.pc);
  return hash;
}

void Machine::die(FailureKind kind, const Text& message, uintptr_t pc, uintptr_t address) {
  Failure failure;
  failure.kind = kind;
  failure.message = message;
  failure.evidence.push_back(here(pc, name(kind)));
  if (address != kNoAddress) {
    failure.evidence.back().has_address = true;
    failure.evidence.back().address = encode(address);
  }
  fail(std::move(failure));
}

void Machine::die_in(FailureKind kind, const Text& message, std::span<const uintptr_t> calls) {
  Failure failure;
  failure.kind = kind;
  failure.message = message;
  failure.evidence.push_back(here(calls.empty() ? 0 : calls[0], name(kind)));
  for (size_t i = 1; i < calls.size(); ++i) failure.evidence.push_back(here(calls[i], "called there"));
  fail(std::move(failure));
}

Text Machine::hang_text() const { return " ran for " + Text::of(limits_.hang_ms) + " ms without a single visible operation"; }

void Machine::hang_in(std::span<const uintptr_t> calls) {
  Failure failure;
  failure.kind = FailureKind::kLivelock;
  failure.message = who() + hang_text();
  failure.evidence.push_back(here(calls.empty() ? 0 : calls[0], kHang));
  fail(std::move(failure));
}

void Machine::stack_overflow(uintptr_t pc) {
  hot_.stack_limit = 0;  // what follows may use the reserve
  die(FailureKind::kStackOverflow, who() + " overflowed its stack of " + Text::of(kStackBytes / 1024) + " KiB", pc);
}

// What is on a fiber is never destroyed: the fiber is abandoned. So nothing that owns memory may stay behind on it;
// swapping leaves the old failure's memory in a local of a function that returns.
void Machine::keep_failure(Failure&& failure) {
  Failure kept = std::move(failure);
  outcome_.verdict = VerdictKind::kFailed;
  outcome_.cause = cause_hash(kept);
  const Race* const race = limits_.order_checks ? order_.race() : nullptr;  // else it is of an earlier execution
  if (race && !is_race(kept.kind)) add_race(kept, *race);
  std::swap(outcome_.failure, kept);
}

void Machine::fail(Failure failure) {
  settle();
  keep_failure(std::move(failure));
  leave_run();
}

void Machine::give_up(GiveUp reason) {
  outcome_.verdict = VerdictKind::kGaveUp;
  outcome_.give_up = reason;
  leave_run();
}

void Machine::leave_run() {
  over_ = true;
  hot_.fuel = granted_ = 0;
  main_.switch_from(current_->fiber);
  ENGINE_CHECK(!"an abandoned fiber was resumed");
  __builtin_unreachable();
}

// For ENGINE_CHECK: the abort that follows is the engine's, not a verdict on the target.
void Machine::black_box(void* argument) {
  CrashGuard::disarm();
  const Machine& machine = *static_cast<const Machine*>(argument);
  std::fprintf(stderr, "after %llu steps, strategy seed %llu, schedule so far:\n",
               static_cast<unsigned long long>(machine.steps_), static_cast<unsigned long long>(machine.seed_));
  for (const Deviation& deviation : machine.schedule_) {
    std::fprintf(stderr, "  %s after %u: %s cpu %u number %u %s\n", std::string(full_name(deviation.anchor)).c_str(), deviation.after,
                 std::string(name(deviation.move.kind)).c_str(), index(deviation.move.cpu), deviation.move.number,
                 std::string(full_name(deviation.move.who)).c_str());
  }
}

// ---- crashes

void Machine::on_crash(void* machine, const Crash& crash) { static_cast<Machine*>(machine)->crashed(crash); }

// On the landing stack. The stack of the crashed context is searched for the innermost return address into the
// target, for crashes in code that is not the target's (libc, a wild jump).
void Machine::crashed(const Crash& crash) {
  uintptr_t pc = in_code(crash.pc) ? crash.pc + 1 : 0;
  if (pc == 0 && stacks_.contains(crash.sp) && !stacks_.in_guard(crash.sp)) {
    const uintptr_t top = stacks_.stack_hi(stacks_.slot_of(crash.sp));
    for (uintptr_t at = (crash.sp + 7) & ~uintptr_t{7}; pc == 0 && at + 8 <= top; at += 8) {
      const uintptr_t word = *reinterpret_cast<const uintptr_t*>(at);
      if (in_code(word)) pc = word;
    }
  }
  const Text who = this->who();
  Failure failure;
  const bool segv = crash.signal == SIGSEGV || crash.signal == SIGBUS;
  if (crash.hang) {
    failure.kind = FailureKind::kLivelock;
    failure.message = who + hang_text();
  } else if (segv && stacks_.in_guard(crash.address)) {
    failure.kind = FailureKind::kStackOverflow;
    failure.message = who + " overflowed its stack of " + Text::of(kStackBytes / 1024) + " KiB";
  } else if (segv && crash.pc == crash.address) {
    failure.kind = FailureKind::kWildJump;
    failure.message = who + " jumped to " + place_name(crash.address);
  } else if (segv && crash.address < 4096) {
    failure.kind = FailureKind::kNullDereference;
    failure.message = who + " dereferenced " + place_name(crash.address);
  } else if (segv) {
    failure.kind = FailureKind::kUnmappedAccess;
    failure.message = who + " touched " + place_name(crash.address) + ", which is not mapped";
  } else if (crash.signal == SIGABRT) {
    failure.kind = FailureKind::kAbort;
    failure.message = who + " aborted";
  } else {
    failure.kind = FailureKind::kCrash;
    failure.message = who + (crash.signal == SIGFPE   ? " divided by zero (SIGFPE)"
                             : crash.signal == SIGILL ? " ran into an illegal instruction (SIGILL)"
                                                      : " was stopped by signal " + Text::of(crash.signal));
  }
  failure.evidence.push_back(here(pc, crash.hang ? kHang : name(failure.kind)));
  settle();
  keep_failure(std::move(failure));
  over_ = true;
  main_.switch_from(landing_);
  ENGINE_CHECK(!"the landing was resumed");
}

}  // namespace plait
