/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/linux_softirq.h: the part of plait/linux.h, which includes it, that runs above an interrupt: handlers by number,
 * softirqs, and what is made of them: tasklets, NAPI and timers. When they run: plait/linux_deferred.h.
 */
#ifndef PLAIT_LINUX_SOFTIRQ_H
#define PLAIT_LINUX_SOFTIRQ_H

#include "plait/linux_deferred.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- interrupts by number: the number is the vector's ---------------------------------------------------------------------- */

typedef int irqreturn_t;
#define IRQ_NONE 0
#define IRQ_HANDLED 1
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev);
static struct plait_irq {
  irq_handler_t handler;
  void *dev;
  atomic_t running;
} plait_irqs[4];

/* The .interrupt of a driver that asks for its interrupts by request_irq. */
__PLAIT_STATIC void plait_do_irq(u32 vector) {
  struct plait_irq *irq = &plait_irqs[vector];
  __atomic_fetch_add(&irq->running.counter, 1, __ATOMIC_SEQ_CST);
  const irq_handler_t handler = READ_ONCE(irq->handler);
  if (handler) handler((int)vector, irq->dev);
  __atomic_fetch_sub(&irq->running.counter, 1, __ATOMIC_SEQ_CST);
  plait_do_softirqs(&plait_softirqs[smp_processor_id()]);
}
/* 0, or -EINVAL for a number that no vector has, -EBUSY for one that is taken. */
__PLAIT_STATIC int request_irq(u32 irq, irq_handler_t handler, unsigned long flags, const char *name, void *dev) {
  (void)flags;
  (void)name;
  if (irq >= ARRAY_SIZE(plait_irqs)) return -EINVAL;
  if (plait_irqs[irq].handler) return -EBUSY;
  plait_irqs_exit = true;
  plait_irqs[irq].dev = dev;
  WRITE_ONCE(plait_irqs[irq].handler, handler);
  return 0;
}
/* Waits for a handler that runs; may sleep. What it raised may still be to come. */
__PLAIT_STATIC void synchronize_irq(u32 irq) {
  might_sleep();
  while (smp_load_acquire(&plait_irqs[irq].running.counter) != 0) cpu_relax();
}
__PLAIT_STATIC void free_irq(u32 irq, void *dev) {
  (void)dev;
  WRITE_ONCE(plait_irqs[irq].handler, (irq_handler_t)NULL);
  smp_mb();
  synchronize_irq(irq);
}

/* ---- softirqs: one may run on several CPUs at once -------------------------------------------------------------------------- */

enum {
  HI_SOFTIRQ,
  TIMER_SOFTIRQ,
  NET_TX_SOFTIRQ,
  NET_RX_SOFTIRQ,
  BLOCK_SOFTIRQ,
  TASKLET_SOFTIRQ,
  NR_SOFTIRQS
};
struct softirq_action {
  void (*action)(struct softirq_action *self);
};
static struct softirq_action plait_softirq_vec[NR_SOFTIRQS];
static struct plait_raised {
  struct plait_deferred deferred;
  unsigned long raised;
  u32 number;
} plait_raised[NR_CPUS][NR_SOFTIRQS];

__PLAIT_STATIC void plait_raised_run(struct plait_deferred *item) {
  struct plait_raised *raised = container_of(item, struct plait_raised, deferred);
  test_and_clear_bit(0, &raised->raised);
  plait_softirq_vec[raised->number].action(&plait_softirq_vec[raised->number]);
}
/* In probe. */
__PLAIT_STATIC void open_softirq(int number, void (*action)(struct softirq_action *self)) {
  plait_softirq_vec[number].action = action;
  for (u32 cpu = 0; cpu < NR_CPUS; ++cpu) {
    plait_raised[cpu][number].deferred.run = plait_raised_run;
    plait_raised[cpu][number].number = (u32)number;
  }
}
/* On this CPU; however often it is raised before it runs, it runs once. */
__PLAIT_STATIC void raise_softirq(unsigned int number) {
  unsigned long flags;
  local_irq_save(flags);
  const u32 cpu = smp_processor_id();
  if (!test_and_set_bit(0, &plait_raised[cpu][number].raised)) {
    plait_defer(&plait_softirqs[cpu], &plait_raised[cpu][number].deferred);
  }
  local_irq_restore(flags);
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

/* NAPI: one poller, whoever set the bit; it may be asked to poll again until it says that it is complete. Whoever asks while
 * it is scheduled is remembered. */
struct napi_struct {
  struct plait_deferred deferred;
  unsigned long state;
  int weight;
  int (*poll)(struct napi_struct *napi, int budget);
};
enum { NAPI_STATE_SCHED, NAPI_STATE_MISSED, NAPI_STATE_DISABLE };
#define NAPIF_STATE_SCHED (1ul << NAPI_STATE_SCHED)
#define NAPIF_STATE_MISSED (1ul << NAPI_STATE_MISSED)
#define NAPIF_STATE_DISABLE (1ul << NAPI_STATE_DISABLE)
__PLAIT_STATIC bool napi_schedule_prep(struct napi_struct *napi) {
  unsigned long now, old = __atomic_load_n(&napi->state, __ATOMIC_RELAXED);
  do {
    if (old & NAPIF_STATE_DISABLE) return false;
    now = old | NAPIF_STATE_SCHED | (old & NAPIF_STATE_SCHED ? NAPIF_STATE_MISSED : 0);
  } while (!__atomic_compare_exchange_n(&napi->state, &old, now, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  return !(old & NAPIF_STATE_SCHED);
}
__PLAIT_STATIC void __napi_schedule(struct napi_struct *napi) {
  unsigned long flags;
  local_irq_save(flags);
  plait_defer(&plait_softirqs[smp_processor_id()], &napi->deferred);
  local_irq_restore(flags);
}
__PLAIT_STATIC void napi_schedule(struct napi_struct *napi) {
  if (napi_schedule_prep(napi)) __napi_schedule(napi);
}
/* false: somebody asked meanwhile, and it stays scheduled. */
__PLAIT_STATIC bool napi_complete_done(struct napi_struct *napi, int done) {
  unsigned long now, old = __atomic_load_n(&napi->state, __ATOMIC_RELAXED);
  (void)done;
  do {
    now = old & ~(NAPIF_STATE_SCHED | NAPIF_STATE_MISSED);
    if (old & NAPIF_STATE_MISSED) now |= NAPIF_STATE_SCHED;
  } while (!__atomic_compare_exchange_n(&napi->state, &old, now, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  if (!(old & NAPIF_STATE_MISSED)) return true;
  __napi_schedule(napi);
  return false;
}
__PLAIT_STATIC void napi_complete(struct napi_struct *napi) { napi_complete_done(napi, 0); }
__PLAIT_STATIC void plait_napi_run(struct plait_deferred *item) {
  struct napi_struct *napi = container_of(item, struct napi_struct, deferred);
  if (napi->poll(napi, napi->weight) < napi->weight) return;
  /* The whole budget used: it stays scheduled, and is polled again; unless somebody waits for it to end. */
  if (test_bit(NAPI_STATE_DISABLE, &napi->state)) {
    napi_complete(napi);
  } else {
    __napi_schedule(napi);
  }
}
__PLAIT_STATIC void plait_napi_add(struct napi_struct *napi, int (*poll)(struct napi_struct *napi, int budget), int weight) {
  memset(napi, 0, sizeof *napi);
  napi->deferred.run = plait_napi_run;
  napi->poll = poll;
  napi->weight = weight;
}
/* Nobody polls from then on, until napi_enable; may sleep. What was asked for meanwhile is forgotten. */
__PLAIT_STATIC void napi_disable(struct napi_struct *napi) {
  might_sleep();
  set_bit(NAPI_STATE_DISABLE, &napi->state);
  while (test_and_set_bit(NAPI_STATE_SCHED, &napi->state)) cpu_relax();
  clear_bit(NAPI_STATE_DISABLE, &napi->state);
}
__PLAIT_STATIC void napi_enable(struct napi_struct *napi) {
  __atomic_fetch_and(&napi->state, ~(NAPIF_STATE_SCHED | NAPIF_STATE_MISSED), __ATOMIC_SEQ_CST);
}

/* Timers: run as softirqs do, and may not sleep. */
struct timer_list {
  struct plait_deferred deferred;
  void (*function)(struct timer_list *timer);
};
__PLAIT_STATIC void plait_timer_run(struct plait_deferred *item) {
  struct timer_list *timer = container_of(item, struct timer_list, deferred);
  if (!plait_begins(plait_softirqs, item)) return;
  timer->function(timer);
  plait_ran(plait_softirqs);
}
__PLAIT_STATIC void timer_setup(struct timer_list *timer, void (*function)(struct timer_list *timer), unsigned int flags) {
  (void)flags;
  memset(timer, 0, sizeof *timer);
  timer->deferred.run = plait_timer_run;
  timer->function = function;
}
/* True if it was armed already. */
__PLAIT_STATIC bool mod_timer(struct timer_list *timer, unsigned long expires) {
  (void)expires;
  return !plait_post(plait_softirqs, &timer->deferred);
}
__PLAIT_STATIC bool timer_pending(const struct timer_list *timer) {
  return (__atomic_load_n(&timer->deferred.state, __ATOMIC_RELAXED) & PLAIT_PENDING) != 0;
}
/* No longer armed; true if it was. The second also waits for one that runs; not in a handler. */
__PLAIT_STATIC bool del_timer(struct timer_list *timer) { return plait_cancel(plait_softirqs, &timer->deferred, false); }
__PLAIT_STATIC bool del_timer_sync(struct timer_list *timer) {
  PLAIT_ASSERT(!in_interrupt());
  return plait_cancel(plait_softirqs, &timer->deferred, true);
}

#ifdef __cplusplus
}
#endif

#endif /* PLAIT_LINUX_SOFTIRQ_H */
