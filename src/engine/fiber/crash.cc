// SPDX-License-Identifier: Apache-2.0
//
// The handlers. They run on an alternate stack of the thread, because what crashed may be out of stack, and do as
// little as they can: note what happened and return to another place. Everything in them is async-signal-safe.
//
// Others install handlers for the same signals: faulthandler (pytest turns it on), libFuzzer, AddressSanitizer. Whoever
// was there before sees all that is not ours. Whoever came after and took the signals away is found at one of the
// regular checks in install() and from then on stands behind us.
#include "fiber/crash.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <new>

#include "base/check.h"
#include "fiber/asan.h"
#include "fiber/crash_state.h"
#include "fiber/machine_context.h"

extern "C" {
uintptr_t plait_probe_word(uintptr_t address);
extern const char plait_probe_load[];
extern const char plait_probe_done[];
}

namespace plait {
namespace crash {

Guarded g_guarded;

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
constexpr size_t kSignalCount = std::size(kSignals);
// Enough for those behind us too: AddressSanitizer and libFuzzer symbolise in their handlers. Untouched pages are free.
constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kGuardBytes = 64 * 1024;
constexpr uint32_t kInstallsBetweenChecks = 4096;

// Changed under the mutex. Handlers read `previous`.
struct Handlers {
  std::mutex mutex;
  std::atomic<uint32_t> generation{1};  // install() has work to do in threads that saw another one
  bool installed = false;
  bool fork_seen_to = false;
  struct sigaction previous[kSignalCount] {};
  uintptr_t landing_lo = 0;
  uint64_t threads = 0;
  Crash crash;  // between handler and landing
  // Which thread is in a previous handler, and how deep on its alternate stack.
  std::atomic<pid_t> chained_thread[kSignalCount]{};
  std::atomic<uintptr_t> chained_frame[kSignalCount]{};
} g_handlers;

// Trivial, so that using it needs no initialisation.
struct Thread {
  uint32_t generation;  // of g_handlers when this thread last installed
  uint32_t until_check;
  pid_t id;
  uint64_t owner;  // 1..: never reused, unlike the id
  uintptr_t stack_lo;
  stack_t previous;
  FloatModes float_modes;
};
constinit thread_local Thread t_thread{};
FloatModes g_float_modes;

uintptr_t map_stack() {
  void* const range = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (range == MAP_FAILED || mprotect(range, kGuardBytes, PROT_NONE) != 0) throw std::bad_alloc();
  return reinterpret_cast<uintptr_t>(range) + kGuardBytes;
}

size_t index_of(int signal) {
  size_t index = 0;
  while (index + 1 < kSignalCount && kSignals[index] != signal) ++index;
  return index;
}

// ---- what is not ours

// The processor raised it and will do so again when the handler returns.
bool comes_again(int signal, const siginfo_t& info) {
  return info.si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL);
}

void die_by_default(int signal, siginfo_t& info) {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  if (!comes_again(signal, info)) syscall(SYS_rt_tgsigqueueinfo, getpid(), this_thread(), signal, &info);
}

// The previous handler, under the signal mask and the flags it asked for.
void call_previous(int signal, siginfo_t& info, void* context, const struct sigaction& previous) {
  sigset_t before;
  sigset_t blocked = previous.sa_mask;
  if (!(previous.sa_flags & SA_NODEFER)) sigaddset(&blocked, signal);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, &info, context);
  } else {
    previous.sa_handler(signal);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// A handler that came after us believes that we are what to go back to, and, if it was found there by a check, is also
// what we go on to: it is entered once, and when the signal comes back from there nobody is left but the default.
void chain(int signal, siginfo_t& info, void* context) {
  const size_t index = index_of(signal);
  struct sigaction previous = g_handlers.previous[index];
  const auto frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const pid_t thread = this_thread();
  const bool inside = g_handlers.chained_thread[index] == thread &&
                      g_handlers.chained_frame[index] - frame < kStackBytes && g_handlers.chained_frame[index] != frame;
  const bool simple = !(previous.sa_flags & SA_SIGINFO);
  if (simple && previous.sa_handler == SIG_IGN && !comes_again(signal, info)) return;
  if (inside || (simple && (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN))) {
    die_by_default(signal, info);
    return;
  }
  if (previous.sa_flags & SA_RESETHAND) {
    g_handlers.previous[index] = {};
    g_handlers.previous[index].sa_handler = SIG_DFL;
  }
  g_handlers.chained_frame[index] = frame;
  g_handlers.chained_thread[index] = thread;
  call_previous(signal, info, context, previous);
  g_handlers.chained_thread[index] = 0;
}

// ---- what is ours

uintptr_t return_address(const ucontext_t& context) {
#if defined(__aarch64__)
  return context.uc_mcontext.regs[30];  // a jump to nowhere has not stored it yet
#else
  return plait_probe_word(sp_of(context));
#endif
}

Crash describe(int signal, const siginfo_t& info, const ucontext_t& context) {
  Crash crash;
  crash.signal = signal;
  crash.code = info.si_code;
  if (signal == SIGSEGV || signal == SIGBUS) {
    // The kernel has no address for a general protection fault and says 0.
    crash.address = info.si_code == SI_KERNEL ? Crash::kNoAddress : reinterpret_cast<uintptr_t>(info.si_addr);
  }
  crash.pc = pc_of(context);
  crash.sp = sp_of(context);
  crash.return_address = return_address(context);
  return crash;
}

void on_signal(int signal, siginfo_t* info, void* raw) {
  const int saved_errno = errno;
  auto& context = *static_cast<ucontext_t*>(raw);
  if (pc_of(context) == reinterpret_cast<uintptr_t>(plait_probe_load)) {
    set_pc(context, reinterpret_cast<uintptr_t>(plait_probe_done));
    return;
  }
  // Another process may ask this one to abort; that is not the target's doing.
  const bool from_outside = info->si_code <= 0 && info->si_pid != getpid();
  if (armed_here() && !from_outside && !g_guarded.left) {
    contain(describe(signal, *info, context), context);
  } else {
    chain(signal, *info, raw);
  }
  errno = saved_errno;
}

// Where interrupted code continues, on the landing stack.
[[noreturn]] void land() {
  if constexpr (asan::kOn) {
    asan::leave(nullptr, g_handlers.landing_lo, g_handlers.landing_lo + kStackBytes);
    asan::arrive(nullptr, nullptr, nullptr);
  }
  set_float_modes(g_float_modes);
  g_guarded.landing(g_guarded.argument, g_handlers.crash);
  ENGINE_CHECK(!"the landing of a crash returned");
  std::abort();
}

// ---- installing

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == on_signal;
}

void take_signals() {
  for (size_t i = 0; i < kSignalCount; ++i) {
    struct sigaction now {};
    sigaction(kSignals[i], nullptr, &now);
    if (is_ours(now)) continue;
    g_handlers.previous[i] = now;
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(kSignals[i], &action, nullptr);
  }
}

void take_stack(Thread& thread) {
  if (thread.stack_lo == 0) thread.stack_lo = map_stack();
  stack_t now{};
  sigaltstack(nullptr, &now);
  stack_t ours{};
  ours.ss_sp = reinterpret_cast<void*>(thread.stack_lo);
  ours.ss_size = kStackBytes;
  if (!(now.ss_flags & SS_DISABLE) && now.ss_sp == ours.ss_sp) return;
  thread.previous = now;
  sigaltstack(&ours, nullptr);
}

void give_stack_back(const Thread& thread) {
  stack_t now{};
  sigaltstack(nullptr, &now);
  if ((now.ss_flags & SS_DISABLE) || now.ss_sp != reinterpret_cast<void*>(thread.stack_lo)) return;
  stack_t previous = thread.previous;
  previous.ss_flags &= ~SS_ONSTACK;
  sigaltstack(&previous, nullptr);
}

// A thread that ends. Constructed by the first install of the thread.
struct ThreadEnd {
  ~ThreadEnd() {
    if (t_thread.stack_lo == 0) return;
    const std::lock_guard lock(g_handlers.mutex);
    watchdog::release(t_thread.owner);
    give_stack_back(t_thread);
    asan::abandon_frames(t_thread.stack_lo, t_thread.stack_lo + kStackBytes);
    munmap(reinterpret_cast<void*>(t_thread.stack_lo - kGuardBytes), kGuardBytes + kStackBytes);
    t_thread = Thread{};
  }
};

// The child has the handlers and the alternate stack, but another thread id and no timer.
void after_fork_in_child() {
  g_guarded.armed = false;
  watchdog::forget();
  ++g_handlers.generation;
  g_handlers.mutex.unlock();
}

void install_here(Thread& thread) {
  static thread_local ThreadEnd end;
  (void)end;
  const std::lock_guard lock(g_handlers.mutex);
  if (!g_handlers.fork_seen_to) {
    pthread_atfork([] { g_handlers.mutex.lock(); }, [] { g_handlers.mutex.unlock(); }, after_fork_in_child);
    g_handlers.fork_seen_to = true;
  }
  if (g_handlers.landing_lo == 0) g_handlers.landing_lo = map_stack();
  if (thread.owner == 0) thread.owner = ++g_handlers.threads;
  take_stack(thread);
  take_signals();
  watchdog::install();
  g_handlers.installed = true;
  thread.id = this_thread();
  thread.float_modes = float_modes();
  thread.generation = g_handlers.generation;
  thread.until_check = kInstallsBetweenChecks;
}

}  // namespace

pid_t this_thread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

bool armed_here() { return g_guarded.armed && g_guarded.thread == this_thread(); }

void contain(const Crash& crash, ucontext_t& context) {
  g_guarded.armed = false;
  g_handlers.crash = crash;
  for (const int signal : kSignals) sigdelset(&context.uc_sigmask, signal);
  if (watchdog::signal_number() != 0) sigdelset(&context.uc_sigmask, watchdog::signal_number());
  // The last landing was left by a switch.
  asan::abandon_frames(g_handlers.landing_lo, g_handlers.landing_lo + kStackBytes);
  redirect(context, land, g_handlers.landing_lo + kStackBytes);
}

}  // namespace crash

using crash::g_guarded;
using crash::g_handlers;
using crash::t_thread;

void CrashGuard::install() {
  crash::Thread& thread = t_thread;
  if (thread.generation == g_handlers.generation.load(std::memory_order_relaxed) && --thread.until_check != 0) return;
  crash::install_here(thread);
}

void CrashGuard::uninstall() {
  const std::lock_guard lock(g_handlers.mutex);
  if (!g_handlers.installed) return;
  g_guarded.armed = false;
  crash::watchdog::uninstall();
  for (size_t i = 0; i < crash::kSignalCount; ++i) {
    struct sigaction now {};
    sigaction(crash::kSignals[i], nullptr, &now);
    // Who came after us goes back to us, and we, not armed, go on to who was before.
    if (crash::is_ours(now)) sigaction(crash::kSignals[i], &g_handlers.previous[i], nullptr);
  }
  if (t_thread.stack_lo != 0) crash::give_stack_back(t_thread);
  ++g_handlers.generation;
  g_handlers.installed = false;
}

void CrashGuard::arm(Landing landing, void* argument, const volatile uint64_t* progress, uint32_t hang_ms) {
  const crash::Thread& thread = t_thread;
  ENGINE_CHECK(thread.generation == g_handlers.generation.load(std::memory_order_relaxed));
  g_guarded.landing = landing;
  g_guarded.argument = argument;
  g_guarded.progress = progress;
  g_guarded.hang_ms = progress ? hang_ms : 0;
  crash::g_float_modes = thread.float_modes;
  g_guarded.thread.store(thread.id, std::memory_order_relaxed);
  // In this order: a tick that finds a new serial number does not stop the timer.
  ++g_guarded.serial;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (g_guarded.hang_ms != 0) {
    namespace watchdog = crash::watchdog;
    const bool ticking = watchdog::g_owner.load(std::memory_order_relaxed) == thread.owner;
    if (!ticking || watchdog::g_hang_ms != hang_ms) [[unlikely]] {
      const std::lock_guard lock(g_handlers.mutex);
      watchdog::start(thread.owner, hang_ms);
    }
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  g_guarded.armed.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void CrashGuard::disarm() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  g_guarded.armed.store(false, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void CrashGuard::leave(void (*interrupted)()) {
  g_guarded.interrupted = interrupted;
  ++g_guarded.serial;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  g_guarded.left.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void CrashGuard::reenter() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  g_guarded.left.store(false, std::memory_order_relaxed);
  ++g_guarded.serial;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool CrashGuard::armed() { return g_guarded.armed.load(std::memory_order_relaxed); }

}  // namespace plait
