/* SPDX-License-Identifier: Apache-2.0
 *
 * The block driver that allocators are tried under. It does with memory what Linux's does: a request and its indirect
 * table are allocated by whoever submits, under the queue's lock with interrupts off, and freed by the interrupt handler,
 * on the CPU of the queue's vector.
 */
#include "plait/virtio.h"

#define SECTOR_BYTES 512

struct virtio_blk_outhdr { /* virtio 1.3, 5.2.6 */
  __virtio32 type;
  __virtio32 ioprio;
  __virtio64 sector;
};

struct blk_request {
  struct list_head waiting; /* while the queue is full */
  struct virtio_blk_outhdr header;
  u64 id;
  void *data;
  u32 bytes;
  u8 status;
};

struct blk_queue {
  spinlock_t lock;
  struct virtqueue vq;
  struct list_head waiting;
};

static struct blk_queue queues[PLAIT_VIRTQUEUES_MAX];
static u32 queue_count;

/* A sector a segment, between header and status. */
static int blk_add(struct blk_queue *queue, struct blk_request *request) {
  struct plait_segment segments[PLAIT_SEGMENTS_MAX];
  const u16 sectors = (u16)(request->bytes / SECTOR_BYTES);
  u16 count = 0;
  segments[count++] = (struct plait_segment){&request->header, sizeof request->header};
  for (u16 i = 0; i < sectors; ++i) {
    segments[count++] = (struct plait_segment){(char *)request->data + SECTOR_BYTES * i, SECTOR_BYTES};
  }
  segments[count++] = (struct plait_segment){&request->status, 1};
  const u16 in = request->header.type == PLAIT_REQUEST_READ ? (u16)(sectors + 1) : 1;
  return virtqueue_add(&queue->vq, segments, (u16)(count - in), in, request);
}

static int blk_request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  struct blk_queue *queue = &queues[queue_count == 1 ? 0 : smp_processor_id() % queue_count];
  unsigned long flags;
  int error = 0;
  bool kick = false;
  spin_lock_irqsave(&queue->lock, flags);
  struct blk_request *request = kmalloc(sizeof *request, GFP_ATOMIC);
  if (!request) {
    error = -ENOMEM;
    goto out;
  }
  request->header.type = type;
  request->header.ioprio = 0;
  request->header.sector = sector;
  request->id = id;
  request->data = data;
  request->bytes = bytes;
  request->status = 0xff;
  error = list_empty(&queue->waiting) ? blk_add(queue, request) : -ENOSPC;
  if (error == -ENOSPC) { /* the handler goes on with it when there is room */
    list_add_tail(&request->waiting, &queue->waiting);
    error = 0;
  } else if (error) {
    kfree(request);
  }
  kick = virtqueue_kick_prepare(&queue->vq);
out:
  spin_unlock_irqrestore(&queue->lock, flags);
  if (kick) virtqueue_notify(&queue->vq);
  return error;
}

static void blk_complete(struct blk_request *request) {
  plait_request_done(request->id, request->status);
  kfree(request);
}

/* There is room again: on with those that wait. */
static void blk_restart(struct blk_queue *queue) {
  while (!list_empty(&queue->waiting)) {
    struct blk_request *request = list_first_entry(&queue->waiting, struct blk_request, waiting);
    if (blk_add(queue, request)) return; /* when nothing is under way there is a table in reserve */
    list_del(&request->waiting);
  }
}

static void blk_interrupt(u32 vector) {
  struct blk_queue *queue = &queues[vector];
  struct blk_request *request;
  unsigned long flags;
  u32 length;
  spin_lock_irqsave(&queue->lock, flags);
  do {
    virtqueue_disable_cb(&queue->vq);
    while ((request = virtqueue_get_buf(&queue->vq, &length)) != NULL) blk_complete(request);
  } while (!virtqueue_enable_cb(&queue->vq));
  blk_restart(queue);
  const bool kick = virtqueue_kick_prepare(&queue->vq);
  spin_unlock_irqrestore(&queue->lock, flags);
  if (kick) virtqueue_notify(&queue->vq);
}

static int blk_probe(void) {
  const u64 wanted = 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_BLK_F_FLUSH |
                     1ull << VIRTIO_BLK_F_RO | 1ull << VIRTIO_BLK_F_MQ |
                     1ull << VIRTIO_F_RING_PACKED;
  u64 features;
  if (!virtio_negotiate(wanted, &features)) return -ENODEV;
  queue_count = virtio_num_queues();
  for (u32 i = 0; i < queue_count; ++i) {
    spin_lock_init(&queues[i].lock);
    INIT_LIST_HEAD(&queues[i].waiting);
    const int error = virtio_setup_queue(&queues[i].vq, (u16)i, features, (u16)i);
    if (error) return error;
  }
  virtio_add_status(VIRTIO_CONFIG_S_DRIVER_OK);
  return 0;
}

static void blk_check(void) {
  for (u32 i = 0; i < queue_count; ++i) {
    PLAIT_ASSERT(list_empty(&queues[i].waiting));
    plait_report_descriptors(i, queues[i].vq.num_free);
    plait_report_mempool(&queues[i].vq.tables);
  }
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = blk_probe, .request = blk_request, .interrupt = blk_interrupt,
             .check = blk_check);
