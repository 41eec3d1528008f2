/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/linux_deferred.h: the part of plait/linux.h, which includes it, that puts something off: waiting, completions,
 * work items. What runs as a softirq is in plait/linux_softirq.h.
 *
 * Softirqs (tasklets, NAPI, timers) run when an interrupt that was asked for by request_irq is over, on top of what it
 * interrupted, with interrupts on; where they are held off, when they no longer are; and what is left over, or was raised
 * in a task, in a worker of the CPU. Work items run in another. plait_start_deferred starts them: call it in probe when
 * you use any of it. Time does not pass: a timer or a delayed work item may run at any moment after it was armed, as one
 * with any delay may on a busy machine.
 */
#ifndef PLAIT_LINUX_DEFERRED_H
#define PLAIT_LINUX_DEFERRED_H

#include "plait/linux.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- waiting: prepare, test, sleep; no wake-up is lost ------------------------------------------------------------------- */

typedef struct {
  plait_wait_queue_t plait;
} wait_queue_head_t;
#define DECLARE_WAIT_QUEUE_HEAD(name) wait_queue_head_t name = {{0}}
__PLAIT_STATIC void init_waitqueue_head(wait_queue_head_t *queue) { memset(queue, 0, sizeof *queue); }
__PLAIT_STATIC void wake_up(wait_queue_head_t *queue) { plait_wake_all(&queue->plait); }
__PLAIT_STATIC void wake_up_all(wait_queue_head_t *queue) { plait_wake_all(&queue->plait); }
#define wait_event(queue, condition)            \
  do {                                          \
    plait_might_sleep();                        \
    while (!(condition)) {                      \
      plait_wait_prepare(&(queue).plait);       \
      if (condition) {                          \
        plait_wait_cancel(&(queue).plait);      \
        break;                                  \
      }                                         \
      plait_wait_commit(&(queue).plait);        \
    }                                           \
  } while (0)

/* The same in steps: prepare_to_wait, test, schedule, and again; finish_wait. */
#define TASK_INTERRUPTIBLE 1 /* there are no signals: as the other */
#define TASK_UNINTERRUPTIBLE 2
struct wait_queue_entry {
  wait_queue_head_t *on;
};
#define DEFINE_WAIT(name) struct wait_queue_entry name = {NULL}
__PLAIT_STATIC void prepare_to_wait(wait_queue_head_t *queue, struct wait_queue_entry *entry, int state) {
  (void)state;
  entry->on = queue;
  plait_wait_prepare(&queue->plait);
}
__PLAIT_STATIC void schedule(void) { plait_wait_commit(NULL); }
__PLAIT_STATIC void finish_wait(wait_queue_head_t *queue, struct wait_queue_entry *entry) {
  entry->on = NULL;
  plait_wait_cancel(&queue->plait);
}

struct completion {
  plait_semaphore_t plait;
};
#define DECLARE_COMPLETION(name) struct completion name = {{0}}
__PLAIT_STATIC void init_completion(struct completion *done) { done->plait.count = 0; }
__PLAIT_STATIC void complete(struct completion *done) { plait_sem_up(&done->plait); }
__PLAIT_STATIC void wait_for_completion(struct completion *done) { plait_sem_down(&done->plait); }

/* ---- deferred work -------------------------------------------------------------------------------------------------------- */

/* What is posted on a CPU runs there, in the order in which it was posted. */
#define PLAIT_PENDING 1ul /* it is wanted */
#define PLAIT_POSTED 2ul  /* it is in a list; without being wanted when it was cancelled */
struct plait_deferred {
  struct llist_node node; /* first: the list's node is the item */
  unsigned long state;    /* of what is posted by plait_post */
  void (*run)(struct plait_deferred *item);
};
struct plait_deferral {
  struct llist_head list;
  plait_semaphore_t raised;
  struct plait_deferred *running; /* of what is posted by plait_post */
  u32 off;                        /* of softirqs: how often they are held off, or run */
};
static struct plait_deferral plait_softirqs[NR_CPUS];
static struct plait_deferral plait_works[NR_CPUS];
static bool plait_irqs_exit; /* handlers run by plait_do_irq: what they raise runs when they are over */

__PLAIT_STATIC void plait_run_deferred(struct plait_deferral *on) {
  struct llist_node *last = llist_del_all(&on->list), *first = NULL;
  while (last) { /* the list has what came last in front */
    struct llist_node *next = last->next;
    last->next = first;
    first = last;
    last = next;
  }
  while (first) {
    struct plait_deferred *item = (struct plait_deferred *)first;
    first = first->next;
    item->run(item);
  }
}

/* With interrupts off, on the CPU. What holds softirqs off comes before them or after them, as under a lock: hence the
 * order of `off`. */
__PLAIT_STATIC void plait_do_softirqs(struct plait_deferral *on) {
  if (smp_load_acquire(&on->off) != 0 || llist_empty(&on->list)) return;
  WRITE_ONCE(on->off, 1);
  local_irq_enable();
  plait_run_deferred(on);
  local_irq_disable();
  smp_store_release(&on->off, 0u);
  if (!llist_empty(&on->list)) plait_sem_up(&on->raised);
}

/* Keeps softirqs away from this CPU; handlers still come. */
__PLAIT_STATIC void local_bh_disable(void) {
  preempt_disable();
  __atomic_fetch_add(&plait_softirqs[smp_processor_id()].off, 1, __ATOMIC_ACQUIRE);
}
__PLAIT_STATIC void local_bh_enable(void) {
  struct plait_deferral *on = &plait_softirqs[smp_processor_id()];
  if (__atomic_sub_fetch(&on->off, 1, __ATOMIC_RELEASE) == 0 && !in_interrupt() && !irqs_disabled() && !llist_empty(&on->list)) {
    local_irq_disable();
    plait_do_softirqs(on);
    local_irq_enable();
  }
  preempt_enable();
}
__PLAIT_STATIC void spin_lock_bh(spinlock_t *lock) {
  local_bh_disable();
  spin_lock(lock);
}
__PLAIT_STATIC void spin_unlock_bh(spinlock_t *lock) {
  spin_unlock(lock);
  local_bh_enable();
}

__PLAIT_STATIC void plait_defer(struct plait_deferral *on, struct plait_deferred *item) {
  const bool softirq = (uintptr_t)on - (uintptr_t)plait_softirqs < sizeof plait_softirqs;
  llist_add(&item->node, &on->list);
  if (!(softirq && plait_irqs_exit && in_interrupt())) plait_sem_up(&on->raised);
}
__PLAIT_STATIC void plait_softirq_thread(void *on) {
  for (;;) {
    plait_sem_down(&((struct plait_deferral *)on)->raised);
    local_bh_disable(); /* whoever lets them come again runs what there is */
    local_bh_enable();
  }
}
__PLAIT_STATIC void plait_work_thread(void *on) {
  for (;;) {
    plait_sem_down(&((struct plait_deferral *)on)->raised);
    plait_run_deferred((struct plait_deferral *)on);
  }
}
__PLAIT_STATIC void plait_start_deferred(void) {
  for (u32 cpu = 0; cpu < num_online_cpus(); ++cpu) {
    plait_worker_start(cpu, plait_softirq_thread, &plait_softirqs[cpu]);
    plait_worker_start(cpu, plait_work_thread, &plait_works[cpu]);
  }
}

/* Work items and timers: wanted at most once, and on one CPU at a time; they may be wanted again from when they begin. */
__PLAIT_STATIC bool plait_post(struct plait_deferral *all, struct plait_deferred *item) {
  unsigned long old = __atomic_load_n(&item->state, __ATOMIC_RELAXED);
  do {
    if (old & PLAIT_PENDING) return false;
  } while (!__atomic_compare_exchange_n(&item->state, &old, PLAIT_PENDING | PLAIT_POSTED, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
  if (!(old & PLAIT_POSTED)) plait_defer(&all[smp_processor_id()], item);
  return true;
}
__PLAIT_STATIC bool plait_runs(struct plait_deferral *all, const struct plait_deferred *item) {
  for (u32 cpu = 0; cpu < num_online_cpus(); ++cpu) {
    if (smp_load_acquire(&all[cpu].running) == item) return true;
  }
  return false;
}
/* true: it is this one's turn to do it. plait_ran when it is done; the item may be gone by then. */
__PLAIT_STATIC bool plait_begins(struct plait_deferral *all, struct plait_deferred *item) {
  struct plait_deferral *on = &all[smp_processor_id()];
  if (plait_runs(all, item)) { /* elsewhere: later */
    cpu_relax();
    plait_defer(on, item);
    return false;
  }
  __atomic_store_n(&on->running, item, __ATOMIC_SEQ_CST);
  if (xchg(&item->state, 0ul) & PLAIT_PENDING) return true;
  smp_store_release(&on->running, (struct plait_deferred *)NULL);
  return false;
}
__PLAIT_STATIC void plait_ran(struct plait_deferral *all) {
  smp_store_release(&all[smp_processor_id()].running, (struct plait_deferred *)NULL);
}
/* No longer wanted; true if it was. `wait`: until it is in no list and does not run. */
__PLAIT_STATIC bool plait_cancel(struct plait_deferral *all, struct plait_deferred *item, bool wait) {
  const bool pending = (__atomic_fetch_and(&item->state, ~PLAIT_PENDING, __ATOMIC_SEQ_CST) & PLAIT_PENDING) != 0;
  while (wait && (smp_load_acquire(&item->state) != 0 || plait_runs(all, item))) cpu_relax();
  return pending;
}

/* Work items: in a task, so they may sleep. */
struct work_struct {
  struct plait_deferred deferred;
  void (*func)(struct work_struct *work);
};
struct delayed_work {
  struct work_struct work;
};
__PLAIT_STATIC void plait_work_run(struct plait_deferred *item) {
  struct work_struct *work = container_of(item, struct work_struct, deferred);
  if (!plait_begins(plait_works, item)) return;
  work->func(work); /* which may free it */
  plait_ran(plait_works);
}
__PLAIT_STATIC void plait_init_work(struct work_struct *work, void (*func)(struct work_struct *work)) {
  memset(work, 0, sizeof *work);
  work->deferred.run = plait_work_run;
  work->func = func;
}
#define INIT_WORK(work, func) plait_init_work((work), (func))
#define INIT_DELAYED_WORK(delayed, func) plait_init_work(&(delayed)->work, (func))
__PLAIT_STATIC bool schedule_work(struct work_struct *work) { return plait_post(plait_works, &work->deferred); }
__PLAIT_STATIC bool schedule_delayed_work(struct delayed_work *delayed, unsigned long delay) {
  (void)delay;
  return schedule_work(&delayed->work);
}
/* Waits until it is done; true if it was wanted or ran. */
__PLAIT_STATIC bool flush_work(struct work_struct *work) {
  bool waited = false;
  might_sleep();
  while (smp_load_acquire(&work->deferred.state) != 0 || plait_runs(plait_works, &work->deferred)) {
    waited = true;
    cpu_relax();
  }
  return waited;
}
#define flush_delayed_work(delayed) flush_work(&(delayed)->work)
/* Not wanted any more, and not running: it may be freed. True if it was wanted. */
__PLAIT_STATIC bool cancel_work_sync(struct work_struct *work) {
  might_sleep();
  return plait_cancel(plait_works, &work->deferred, true);
}
__PLAIT_STATIC bool cancel_delayed_work(struct delayed_work *delayed) {
  return plait_cancel(plait_works, &delayed->work.deferred, false);
}
__PLAIT_STATIC bool cancel_delayed_work_sync(struct delayed_work *delayed) { return cancel_work_sync(&delayed->work); }

#ifdef __cplusplus
}
#endif

#endif /* PLAIT_LINUX_DEFERRED_H */
