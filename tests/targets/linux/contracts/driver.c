/* SPDX-License-Identifier: Apache-2.0
 *
 * What plait/linux.h promises, relied upon: whoever submits frees what an interrupt handler, a work item and a timer have
 * used, counts what softirqs count, and waits to be woken. Each WITHOUT_… leaves out the call that makes one of these right.
 */
#include "../../../../targets/drivers/common/blk.h"

struct note {
  u32 count;
};

static DEFINE_MUTEX(one_at_a_time); /* of those that submit */
static struct note *of_handler, *of_work, *of_late, *of_timer;
static struct work_struct worker, waker;
static struct delayed_work late;
static struct timer_list timer;
static struct napi_struct napi;
static DECLARE_WAIT_QUEUE_HEAD(queue);
static bool woken;
static u32 polls;
static DEFINE_PER_CPU(u32, softirqs);

static irqreturn_t handler(int irq, void *dev) {
  struct note *note = smp_load_acquire(&of_handler);
  unsigned long flags;
  (void)irq;
  (void)dev;
  if (note) ++note->count;
  spin_lock_irqsave(&queue_lock, flags);
  blk_reap();
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
  raise_softirq(NET_RX_SOFTIRQ);
  napi_schedule(&napi);
  return IRQ_HANDLED;
}

static void count_softirq(struct softirq_action *unused) {
  (void)unused;
  ++*this_cpu_ptr(softirqs);
}

static int poll(struct napi_struct *self, int budget) {
  (void)budget;
  ++polls;
  napi_complete_done(self, 0);
  return 0;
}

static void work(struct work_struct *unused) {
  (void)unused;
  might_sleep();
  ++of_work->count;
}

static void work_late(struct work_struct *unused) {
  (void)unused;
  ++of_late->count;
}

static void tick(struct timer_list *unused) {
  (void)unused;
  ++of_timer->count;
}

static void wake(struct work_struct *unused) {
  (void)unused;
  smp_store_release(&woken, true);
  wake_up(&queue);
}

static bool irq_is_synchronized(void) {
  struct note *fresh = (struct note *)kzalloc(sizeof *fresh, GFP_KERNEL);
  if (!fresh) return false;
  struct note *old = xchg(&of_handler, fresh);
#ifndef WITHOUT_SYNCHRONIZE_IRQ
  synchronize_irq(0);
#endif
  kfree(old);
  return true;
}

static bool work_is_done(void) {
  of_work = (struct note *)kzalloc(sizeof *of_work, GFP_KERNEL);
  if (!of_work) return false;
  schedule_work(&worker);
#ifndef WITHOUT_FLUSH
  flush_work(&worker);
  PLAIT_ASSERT(of_work->count == 1); /* it ran, once */
#endif
  kfree(of_work);
  return true;
}

static bool delayed_work_is_gone(void) {
  of_late = (struct note *)kzalloc(sizeof *of_late, GFP_KERNEL);
  if (!of_late) return false;
  schedule_delayed_work(&late, 1);
#ifdef WITHOUT_SYNC
  cancel_delayed_work(&late);
#else
  cancel_delayed_work_sync(&late);
#endif
  kfree(of_late);
  return true;
}

static bool timer_is_gone(void) {
  of_timer = (struct note *)kzalloc(sizeof *of_timer, GFP_KERNEL);
  if (!of_timer) return false;
  mod_timer(&timer, 1);
#ifdef WITHOUT_TIMER_SYNC
  del_timer(&timer);
#else
  del_timer_sync(&timer);
#endif
  PLAIT_ASSERT(!timer_pending(&timer));
  kfree(of_timer);
  return true;
}

static void wait_for_waker(void) {
  DEFINE_WAIT(entry);
  smp_store_release(&woken, false);
  schedule_work(&waker);
#ifdef WITHOUT_PREPARE
  (void)entry;
  if (!smp_load_acquire(&woken)) plait_wait(&queue.plait);
#else
  for (;;) {
    prepare_to_wait(&queue, &entry, TASK_UNINTERRUPTIBLE);
    if (smp_load_acquire(&woken)) break;
    schedule();
  }
  finish_wait(&queue, &entry);
#endif
  flush_work(&waker);
}

static void count_with_softirqs(void) {
#ifdef WITHOUT_BH
  preempt_disable();
  ++*this_cpu_ptr(softirqs);
  preempt_enable();
#else
  local_bh_disable();
  ++*this_cpu_ptr(softirqs);
  local_bh_enable();
#endif
}

static void count_with_polls(void) {
#ifndef WITHOUT_NAPI_DISABLE
  napi_disable(&napi);
#endif
  ++polls;
#ifndef WITHOUT_NAPI_DISABLE
  napi_enable(&napi);
#endif
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  mutex_lock(&one_at_a_time);
  const bool done = irq_is_synchronized() && work_is_done() && delayed_work_is_gone() && timer_is_gone();
  wait_for_waker();
  count_with_softirqs();
  count_with_polls();
  mutex_unlock(&one_at_a_time);
  return done ? blk_request_locked(id, type, sector, data, bytes) : -ENOMEM;
}

static void check(void) {
  if (of_handler) plait_report_kept(of_handler);
  blk_report();
}

static int probe(void) {
  plait_start_deferred();
  INIT_WORK(&worker, work);
  INIT_WORK(&waker, wake);
  INIT_DELAYED_WORK(&late, work_late);
  timer_setup(&timer, tick, 0);
  plait_napi_add(&napi, poll, 1);
  open_softirq(NET_RX_SOFTIRQ, count_softirq);
  return request_irq(0, handler, 0, "contracts", NULL) ? -EBUSY : blk_bring_up();
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = probe, .request = request, .interrupt = plait_do_irq, .check = check);
