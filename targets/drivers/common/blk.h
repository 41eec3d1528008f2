/* SPDX-License-Identifier: Apache-2.0
 *
 * What the planted block drivers have in common, so that each shows what is its own: the request and how it becomes
 * descriptors, bring-up of one queue, and the report at the end. All that is called under the queue's lock says so.
 */
#ifndef PLANTED_BLK_H
#define PLANTED_BLK_H

#include "plait/virtio.h"

struct blk_request {
  struct list_head waiting; /* while the queue is full */
  struct {                  /* virtio 1.3, 5.2.6 */
    __virtio32 type;
    __virtio32 ioprio;
    __virtio64 sector;
  } header;
  u64 id;
  void *data;
  u32 bytes;
  u8 status;
};

static struct virtqueue vq;
static spinlock_t queue_lock;
static LIST_HEAD(waiting);

__PLAIT_STATIC struct blk_request *blk_make(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  struct blk_request *request = (struct blk_request *)kmalloc(sizeof *request, GFP_ATOMIC);
  if (!request) return NULL;
  request->header.type = type;
  request->header.ioprio = 0;
  request->header.sector = sector;
  request->id = id;
  request->data = data;
  request->bytes = bytes;
  request->status = 0xff;
  return request;
}

/* Locked. A sector a segment, between header and status. */
__PLAIT_STATIC int blk_add(struct blk_request *request) {
  struct plait_segment segments[PLAIT_SEGMENTS_MAX];
  const u16 sectors = (u16)(request->bytes / 512);
  const u16 in = request->header.type == PLAIT_REQUEST_READ ? (u16)(sectors + 1) : 1;
  u16 count = 0;
  segments[count].data = &request->header;
  segments[count++].bytes = sizeof request->header;
  for (u16 i = 0; i < sectors; ++i) {
    segments[count].data = (char *)request->data + 512 * i;
    segments[count++].bytes = 512;
  }
  segments[count].data = &request->status;
  segments[count++].bytes = 1;
  return virtqueue_add(&vq, segments, (u16)(count - in), in, request);
}

/* Locked. On the ring, or behind those that wait for room. */
__PLAIT_STATIC int blk_submit(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  struct blk_request *request = blk_make(id, type, sector, data, bytes);
  if (!request) return -ENOMEM;
  const int error = list_empty(&waiting) ? blk_add(request) : -ENOSPC;
  if (error == -ENOSPC) {
    list_add_tail(&request->waiting, &waiting);
    return 0;
  }
  if (error) kfree(request);
  return error;
}

/* Locked. There is room again. */
__PLAIT_STATIC void blk_restart(void) {
  while (!list_empty(&waiting)) {
    struct blk_request *request = list_first_entry(&waiting, struct blk_request, waiting);
    if (blk_add(request)) return;
    list_del(&request->waiting);
  }
}

__PLAIT_STATIC void blk_complete(struct blk_request *request) {
  plait_request_done(request->id, request->status);
  kfree(request);
}

/* Locked. All that the device has returned, until it has nothing and interrupts are on again. */
__PLAIT_STATIC void blk_reap(void) {
  struct blk_request *request;
  u32 length;
  do {
    virtqueue_disable_cb(&vq);
    while ((request = (struct blk_request *)virtqueue_get_buf(&vq, &length)) != NULL) blk_complete(request);
  } while (!virtqueue_enable_cb(&vq));
}

__PLAIT_STATIC int blk_bring_up(void) {
  u64 features;
  const u64 wanted = 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_BLK_F_FLUSH;
  if (!virtio_negotiate(wanted, &features)) return -ENODEV;
  spin_lock_init(&queue_lock);
  INIT_LIST_HEAD(&waiting);
  const int error = virtio_setup_queue(&vq, 0, features, 0);
  if (!error) virtio_add_status(VIRTIO_CONFIG_S_DRIVER_OK);
  return error;
}

__PLAIT_STATIC void blk_report(void) {
  plait_report_descriptors(0, vq.num_free);
  plait_report_mempool(&vq.tables);
}

/* The usual request function and handler, for drivers that go wrong elsewhere. */
__PLAIT_STATIC int blk_request_locked(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  spin_lock_irqsave(&queue_lock, flags);
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
  return error;
}
__PLAIT_STATIC void blk_interrupt_locked(u32 vector) {
  unsigned long flags;
  (void)vector;
  spin_lock_irqsave(&queue_lock, flags);
  blk_reap();
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

#define BLK_DRIVER(request_function, interrupt_function)                                                  \
  PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = blk_bring_up, .request = request_function,          \
               .interrupt = interrupt_function, .check = blk_report)

#endif
