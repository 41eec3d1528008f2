/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/linux_deferred.h: the part of plait/linux.h, which includes it, that puts something off: waiting, completions,
 * tasklets, NAPI, work items and timers.
 *
 * Deferred work runs in workers, which plait_start_deferred starts: call it in probe when you use any of it. Time does not
 * pass: a timer or a delayed work item may run at any moment after it was armed, as one with any delay may on a busy
 * machine.
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

struct completion {
  plait_semaphore_t plait;
};
#define DECLARE_COMPLETION(name) struct completion name = {{0}}
__PLAIT_STATIC void init_completion(struct completion *done) { done->plait.count = 0; }
__PLAIT_STATIC void complete(struct completion *done) { plait_sem_up(&done->plait); }
__PLAIT_STATIC void wait_for_completion(struct completion *done) { plait_sem_down(&done->plait); }

/* ---- deferred work -------------------------------------------------------------------------------------------------------- */

/* Keeps what is deferred without sleeping (softirqs) away from this CPU; handlers still come. */
#define local_bh_disable() plait_preempt_disable()
#define local_bh_enable() plait_preempt_enable()
__PLAIT_STATIC void spin_lock_bh(spinlock_t *lock) { spin_lock(lock); }
__PLAIT_STATIC void spin_unlock_bh(spinlock_t *lock) { spin_unlock(lock); }

/* What is raised on a CPU runs there, in the order in which it was raised, and nothing is raised twice at once. */
struct plait_deferred {
  struct llist_node node; /* first: the list's node is the item */
  void (*run)(struct plait_deferred *item);
};
struct plait_deferral {
  struct llist_head list;
  plait_semaphore_t raised;
};
static struct plait_deferral plait_softirqs[NR_CPUS];
static struct plait_deferral plait_works[NR_CPUS];

__PLAIT_STATIC void plait_defer(struct plait_deferral *on, struct plait_deferred *item) {
  llist_add(&item->node, &on->list);
  plait_sem_up(&on->raised);
}
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
__PLAIT_STATIC void plait_softirq_thread(void *on) {
  for (;;) {
    plait_sem_down(&((struct plait_deferral *)on)->raised);
    local_bh_disable();
    plait_run_deferred((struct plait_deferral *)on);
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

/* Tasklets: scheduled once however often one asks, and never on two CPUs at once. */
struct tasklet_struct {
  struct plait_deferred deferred;
  unsigned long state; /* bit 0: scheduled, bit 1: running */
  void (*callback)(struct tasklet_struct *tasklet);
};
__PLAIT_STATIC void __tasklet_raise(struct tasklet_struct *tasklet) {
  plait_defer(&plait_softirqs[smp_processor_id()], &tasklet->deferred);
}
__PLAIT_STATIC void tasklet_schedule(struct tasklet_struct *tasklet) {
  if (!test_and_set_bit(0, &tasklet->state)) __tasklet_raise(tasklet);
}
__PLAIT_STATIC void plait_tasklet_run(struct plait_deferred *item) {
  struct tasklet_struct *tasklet = container_of(item, struct tasklet_struct, deferred);
  if (test_and_set_bit(1, &tasklet->state)) { /* it runs elsewhere: later */
    cpu_relax();
    return __tasklet_raise(tasklet);
  }
  smp_mb__before_atomic(); /* the item is out of the list before it can come into one again */
  clear_bit(0, &tasklet->state);
  smp_mb__after_atomic();
  tasklet->callback(tasklet);
  smp_mb__before_atomic();
  clear_bit(1, &tasklet->state);
}
__PLAIT_STATIC void tasklet_setup(struct tasklet_struct *tasklet, void (*callback)(struct tasklet_struct *tasklet)) {
  memset(tasklet, 0, sizeof *tasklet);
  tasklet->deferred.run = plait_tasklet_run;
  tasklet->callback = callback;
}

/* NAPI: one poller, whoever set the bit; it may be asked to poll again until it says that it is complete. */
struct napi_struct {
  struct plait_deferred deferred;
  unsigned long state; /* bit 0: scheduled */
  int weight;
  int (*poll)(struct napi_struct *napi, int budget);
};
__PLAIT_STATIC bool napi_schedule_prep(struct napi_struct *napi) { return !test_and_set_bit(0, &napi->state); }
__PLAIT_STATIC void __napi_schedule(struct napi_struct *napi) {
  plait_defer(&plait_softirqs[smp_processor_id()], &napi->deferred);
}
__PLAIT_STATIC void napi_schedule(struct napi_struct *napi) {
  if (napi_schedule_prep(napi)) __napi_schedule(napi);
}
__PLAIT_STATIC bool napi_complete_done(struct napi_struct *napi, int done) {
  (void)done;
  smp_mb__before_atomic();
  clear_bit(0, &napi->state);
  return true;
}
__PLAIT_STATIC void plait_napi_run(struct plait_deferred *item) {
  struct napi_struct *napi = container_of(item, struct napi_struct, deferred);
  /* The whole budget used: it stays scheduled, and is polled again. */
  if (napi->poll(napi, napi->weight) >= napi->weight) __napi_schedule(napi);
}
__PLAIT_STATIC void plait_napi_add(struct napi_struct *napi, int (*poll)(struct napi_struct *napi, int budget), int weight) {
  memset(napi, 0, sizeof *napi);
  napi->deferred.run = plait_napi_run;
  napi->poll = poll;
  napi->weight = weight;
}

/* Work items: in a task, so they may sleep; pending at most once, and may be queued again from the moment they begin. */
struct work_struct {
  struct plait_deferred deferred;
  unsigned long pending;
  void (*func)(struct work_struct *work);
};
struct delayed_work {
  struct work_struct work;
};
__PLAIT_STATIC void plait_work_run(struct plait_deferred *item) {
  struct work_struct *work = container_of(item, struct work_struct, deferred);
  smp_mb__before_atomic(); /* the item is out of the list before it can come into one again */
  clear_bit(0, &work->pending);
  smp_mb__after_atomic();
  work->func(work);
}
__PLAIT_STATIC void plait_init_work(struct work_struct *work, void (*func)(struct work_struct *work)) {
  memset(work, 0, sizeof *work);
  work->deferred.run = plait_work_run;
  work->func = func;
}
#define INIT_WORK(work, func) plait_init_work((work), (func))
#define INIT_DELAYED_WORK(delayed, func) plait_init_work(&(delayed)->work, (func))
__PLAIT_STATIC bool schedule_work(struct work_struct *work) {
  if (test_and_set_bit(0, &work->pending)) return false;
  plait_defer(&plait_works[smp_processor_id()], &work->deferred);
  return true;
}
__PLAIT_STATIC bool schedule_delayed_work(struct delayed_work *delayed, unsigned long delay) {
  (void)delay;
  return schedule_work(&delayed->work);
}

/* Timers: run as softirqs do, and may not sleep. */
struct timer_list {
  struct plait_deferred deferred;
  unsigned long pending;
  void (*function)(struct timer_list *timer);
};
__PLAIT_STATIC void plait_timer_run(struct plait_deferred *item) {
  struct timer_list *timer = container_of(item, struct timer_list, deferred);
  if (test_and_clear_bit(0, &timer->pending)) timer->function(timer);
}
__PLAIT_STATIC void timer_setup(struct timer_list *timer, void (*function)(struct timer_list *timer), unsigned int flags) {
  (void)flags;
  memset(timer, 0, sizeof *timer);
  timer->deferred.run = plait_timer_run;
  timer->function = function;
}
__PLAIT_STATIC bool mod_timer(struct timer_list *timer, unsigned long expires) {
  (void)expires;
  if (test_and_set_bit(0, &timer->pending)) return true;
  plait_defer(&plait_softirqs[smp_processor_id()], &timer->deferred);
  return false;
}

#ifdef __cplusplus
}
#endif

#endif /* PLAIT_LINUX_DEFERRED_H */
