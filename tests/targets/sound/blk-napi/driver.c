/* SPDX-License-Identifier: Apache-2.0
 *
 * Completes requests in a budgeted poll, tells callers in a tasklet, frees requests in a work item, and looks for late
 * interrupts in a timer. The lock is one for softirqs and tasks: the handler never takes it.
 */
#include "../../../../targets/drivers/common/blk.h"

#define BUDGET 2

static struct napi_struct napi;
static struct tasklet_struct teller;
static struct work_struct freer;
static struct timer_list late;
static LLIST_HEAD(to_tell);
static LLIST_HEAD(to_free);
static atomic_t in_flight = ATOMIC_INIT(0);
static DEFINE_PER_CPU(u32, polls);

/* The list link of a request that is over lies where its place among those that wait was. */
static struct llist_node *link_of(struct blk_request *request) { return (struct llist_node *)&request->waiting; }
static struct blk_request *request_of(struct llist_node *node) {
  return container_of((struct list_head *)node, struct blk_request, waiting);
}

static int poll(struct napi_struct *self, int budget) {
  int done = 0;
  bool more = false;
  bool kick;
  u32 length;
  ++*this_cpu_ptr(polls);
  spin_lock_bh(&queue_lock);
  while (done < budget) {
    struct blk_request *request = (struct blk_request *)virtqueue_get_buf(&vq, &length);
    if (!request) break;
    llist_add(link_of(request), &to_tell);
    ++done;
  }
  blk_restart();
  if (done < budget) {
    napi_complete_done(self, done);
    more = !virtqueue_enable_cb(&vq);
    if (more) virtqueue_disable_cb(&vq);
  }
  kick = virtqueue_kick_prepare(&vq);
  spin_unlock_bh(&queue_lock);
  if (kick) virtqueue_notify(&vq);
  if (more) napi_schedule(self);
  if (done) tasklet_schedule(&teller);
  return done;
}

static void tell(struct tasklet_struct *unused) {
  struct llist_node *node = llist_del_all(&to_tell);
  (void)unused;
  while (node) {
    struct blk_request *request = request_of(node);
    node = node->next;
    plait_request_done(request->id, request->status);
    atomic_dec(&in_flight);
    llist_add(link_of(request), &to_free);
  }
  schedule_work(&freer);
}

static void free_all(struct work_struct *unused) {
  struct llist_node *node = llist_del_all(&to_free);
  (void)unused;
  might_sleep();
  while (node) {
    struct blk_request *request = request_of(node);
    node = node->next;
    kfree(request);
  }
}

static void look_late(struct timer_list *unused) {
  (void)unused;
  if (atomic_read(&in_flight) != 0) napi_schedule(&napi);
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  atomic_inc(&in_flight);
  spin_lock_bh(&queue_lock);
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_bh(&queue_lock);
  if (kick) virtqueue_notify(&vq);
  if (error) {
    atomic_dec(&in_flight);
  } else {
    mod_timer(&late, 1);
  }
  return error;
}

static void interrupt(u32 vector) {
  (void)vector;
  napi_schedule(&napi);
}

static int probe(void) {
  plait_start_deferred();
  plait_napi_add(&napi, poll, BUDGET);
  tasklet_setup(&teller, tell);
  INIT_WORK(&freer, free_all);
  timer_setup(&late, look_late, 0);
  return blk_bring_up();
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = probe, .request = request, .interrupt = interrupt,
             .check = blk_report);
