/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/kernel.h: the kernel that an allocator under test runs in.
 *
 * Every function below is one visible operation: before it takes effect any other CPU may take steps, an interrupt
 * may be delivered, and, where preemption is possible, another task may run. Ordinary loads and stores of your code
 * are visible operations as well; the compiler announces them, you write nothing for that.
 *
 * Names follow the Linux kernel where it has one. All lock and wait types are valid when zero-initialised, so a
 * static or a memset object needs no init call. All of this is plain C and may be used from C++.
 *
 * "Context failure" in this file means that the execution ends with a verdict that names the caller's source line.
 */
#ifndef PLAIT_KERNEL_H
#define PLAIT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- limits ---------------------------------------------------------------------------------------------------- */

#define PLAIT_CPUS_MAX 8        /* CPUs are numbered from 0 */
#define PLAIT_TASKS_MAX 16      /* scenario tasks and workers together */
#define PLAIT_LINES_MAX 8       /* interrupt lines */
#define PLAIT_CACHE_LINE 64     /* bytes */

/* ---- interrupts on the current CPU ------------------------------------------------------------------------------ */

/* What plait_irq_save found: non-zero when interrupts were on. Opaque: hand it back to plait_irq_restore. */
typedef uint32_t plait_irq_flags_t;

/* Turns interrupts off on the current CPU and returns what they were. Implies: no preemption, no migration. */
plait_irq_flags_t plait_irq_save(void);
/* Puts interrupts back to what `flags` says. Interrupts that became pending meanwhile may be delivered at once. */
void plait_irq_restore(plait_irq_flags_t flags);
void plait_irq_off(void);
void plait_irq_on(void);
/* True when the current CPU accepts interrupts. Not a visible operation. */
bool plait_irq_enabled(void);

/* ---- preemption ------------------------------------------------------------------------------------------------- */

/* A counter: preemption (and with it migration) is possible when it is zero, interrupts are on and no handler runs.
 * Does not keep interrupts away. Calls nest. Enabling more often than disabling is a context failure. */
void plait_preempt_disable(void);
void plait_preempt_enable(void);
/* True when another task may take this CPU now. Not a visible operation. */
bool plait_preemptible(void);

/* ---- where am I ------------------------------------------------------------------------------------------------- */

/* The number of the current CPU. Unless preemption is off the answer may be stale when you use it. */
uint32_t plait_cpu_id(void);
/* How many CPUs the scenario has, 1 to PLAIT_CPUS_MAX. Constant during an execution; not a visible operation. */
uint32_t plait_cpu_count(void);
/* True inside an interrupt handler. Not a visible operation. */
bool plait_in_handler(void);

/* ---- per-CPU data ----------------------------------------------------------------------------------------------- */

/* PLAIT_PER_CPU(struct pool_cpu, cpus);     defines an array with one cache-line aligned element a CPU
 * PLAIT_THIS_CPU(cpus)->head                the element of the CPU read now (a visible operation: plait_cpu_id)
 * PLAIT_CPU(cpus, 3)->head                  the element of CPU 3                                                   */
#define PLAIT_PER_CPU(type, name) \
  struct plait_per_cpu_##name {   \
    type value __attribute__((aligned(PLAIT_CACHE_LINE))); \
  };                              \
  static struct plait_per_cpu_##name name[PLAIT_CPUS_MAX]
#define PLAIT_CPU(name, cpu) (&(name)[(cpu)].value)
#define PLAIT_THIS_CPU(name) PLAIT_CPU(name, plait_cpu_id())

/* Read-modify-write by one instruction that is not locked, as x86 does `add [x], n` and Linux this_cpu_add: whole as
 * seen from this CPU (no interrupt or preemption cuts it), but not protected from other CPUs' stores in C11 terms.
 * Here it happens whole. Returns the new value. */
uint32_t plait_local_add32(uint32_t *word, int32_t amount);
uint64_t plait_local_add64(uint64_t *word, int64_t amount);

/* ---- spin lock -------------------------------------------------------------------------------------------------- */

/* Does not touch interrupts or preemption: combine it with plait_irq_save or plait_preempt_disable as you need.
 * Not recursive. Taking one that the own context, or the context this handler interrupted, holds is a
 * self-deadlock failure; releasing one that somebody else holds is a context failure. */
typedef struct plait_spinlock {
  uint64_t holder;
} plait_spinlock_t;

void plait_spin_lock(plait_spinlock_t *lock);
bool plait_spin_trylock(plait_spinlock_t *lock); /* true: taken */
void plait_spin_unlock(plait_spinlock_t *lock);

/* The usual pair: interrupts off before the lock is tried, back after it is released. */
static inline plait_irq_flags_t plait_spin_lock_irqsave(plait_spinlock_t *lock) {
  plait_irq_flags_t flags = plait_irq_save();
  plait_spin_lock(lock);
  return flags;
}
static inline void plait_spin_unlock_irqrestore(plait_spinlock_t *lock, plait_irq_flags_t flags) {
  plait_spin_unlock(lock);
  plait_irq_restore(flags);
}

/* ---- mutex ------------------------------------------------------------------------------------------------------ */

/* A sleeping lock, owned by a task. Locking is a may-sleep call (below). With PLAIT_MUTEX_RECURSIVE in `flags` the
 * owner may take it again; a handler counts as the task that it interrupted (so OSv's mutex behaves). */
typedef struct plait_mutex {
  uint64_t owner;
  uint32_t depth;
  uint32_t flags;
} plait_mutex_t;
#define PLAIT_MUTEX_RECURSIVE 1u
/* With PLAIT_MUTEX_CHECK_WHEN_WAITING locking counts as a may-sleep call only when it really has to wait (OSv asserts
 * there); Linux, and a mutex without the flag, assert on every call. */
#define PLAIT_MUTEX_CHECK_WHEN_WAITING 2u

void plait_mutex_lock(plait_mutex_t *mutex);
bool plait_mutex_trylock(plait_mutex_t *mutex); /* true: taken. Never sleeps */
void plait_mutex_unlock(plait_mutex_t *mutex);

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

/* A queue of waiting tasks, woken in the order in which they came. A wake with nobody waiting is forgotten. */
typedef struct plait_wait_queue {
  uint64_t reserved;
} plait_wait_queue_t;

/* Sleeps until woken. A wake between your test of a condition and this call is lost: see prepare/commit. */
void plait_wait(plait_wait_queue_t *queue);
/* Linux's prepare_to_wait idiom: after prepare a wake is remembered, so `prepare; test; commit` loses none.
 * commit sleeps unless a wake came since prepare; cancel leaves without sleeping. commit(NULL) is on the queue that the
 * caller is prepared for, and nothing when it is prepared for none. */
void plait_wait_prepare(plait_wait_queue_t *queue);
void plait_wait_commit(plait_wait_queue_t *queue);
void plait_wait_cancel(plait_wait_queue_t *queue);
/* A condition variable's wait: releases the mutex and sleeps in one step; takes the mutex again before it returns. */
void plait_wait_mutex(plait_wait_queue_t *queue, plait_mutex_t *mutex);
/* Waking never sleeps and is legal in a handler. */
void plait_wake_one(plait_wait_queue_t *queue);
void plait_wake_all(plait_wait_queue_t *queue);

/* A counting semaphore. down is a may-sleep call; up is legal in a handler. */
typedef struct plait_semaphore {
  int64_t count;
} plait_semaphore_t;
void plait_sem_down(plait_semaphore_t *semaphore);
bool plait_sem_trydown(plait_semaphore_t *semaphore); /* true: counted down */
void plait_sem_up(plait_semaphore_t *semaphore);

/* May-sleep calls are those that may block: mutex_lock, wait, wait_commit, wait_mutex, sem_down, and page_alloc with
 * PLAIT_MAY_SLEEP. With interrupts off, preemption off or in a handler they are a context failure, whether or not
 * they would have had to block this time. plait_might_sleep is such a call that does nothing else. */
void plait_might_sleep(void);

/* ---- workers ---------------------------------------------------------------------------------------------------- */

/* Starts a kernel task pinned to `cpu` that runs body(argument). Only from the target's init. A worker that sleeps
 * on a wait queue or a semaphore is idle: an execution may end then. */
void plait_worker_start(uint32_t cpu, void (*body)(void *argument), void *argument);

/* ---- pages ------------------------------------------------------------------------------------------------------ */

#define PLAIT_MAY_SLEEP 1u
/* Bytes in a page: a power of two, 256 to 65536. Constant during an execution; not a visible operation. */
size_t plait_page_size(void);
/* `count` adjacent pages, aligned to the page size, content undefined; NULL when memory is out. With PLAIT_MAY_SLEEP
 * this is a may-sleep call. */
void *plait_page_alloc(size_t count, uint32_t flags);
/* Gives back pages exactly as they were handed out. Touching them afterwards is a use-after-free failure. */
void plait_page_free(void *pages, size_t count);

/* ---- spinning, assertions ------------------------------------------------------------------------------------------ */

/* A spin-wait hint (pause, cpu_relax). The context is not run again until something it read has changed, or nothing
 * else can move: so spin-waits end under every schedule. */
void plait_relax(void);

/* Ends the execution with an assertion failure. `text` must be a literal. */
void plait_bug(const char *text, const char *file, uint32_t line) __attribute__((noreturn));
#define PLAIT_ASSERT(condition) \
  ((condition) ? (void)0 : plait_bug(#condition, __FILE__, (uint32_t)__LINE__))
#define PLAIT_BUG_ON(condition) \
  ((condition) ? plait_bug("BUG_ON(" #condition ")", __FILE__, (uint32_t)__LINE__) : (void)0)

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PLAIT_KERNEL_H */
