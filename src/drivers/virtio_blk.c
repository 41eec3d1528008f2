/* SPDX-License-Identifier: Apache-2.0
 *
 * The block driver that allocators are tried under. It does with memory what Linux's does: a request and its indirect
 * table are allocated by whoever submits, under the queue's lock with interrupts off, and freed by the interrupt handler,
 * on the CPU of the queue's vector.
 */
#include "plait/virtio.h"

#define SECTOR_BYTES 512

struct virtio_blk_config { /* virtio 1.3, 5.2.4 */
  __virtio64 capacity;
  __virtio32 size_max;
  __virtio32 seg_max;
  u8 geometry[4];
  __virtio32 blk_size;
  u8 topology[8];
  u8 writeback, unused0;
  __virtio16 num_queues;
  __virtio32 max_discard_sectors;
  __virtio32 max_discard_seg;
  __virtio32 discard_sector_alignment;
  __virtio32 max_write_zeroes_sectors;
  __virtio32 max_write_zeroes_seg;
  u8 write_zeroes_may_unmap;
};
#define BLK_CONFIG(field) PLAIT_REGISTER(PLAIT_IO_DEVICE + __builtin_offsetof(struct virtio_blk_config, field))

struct virtio_blk_outhdr { /* virtio 1.3, 5.2.6 */
  __virtio32 type;
  __virtio32 ioprio;
  __virtio64 sector;
};

struct virtio_blk_discard_write_zeroes { /* the same */
  __virtio64 sector;
  __virtio32 num_sectors;
  __virtio32 flags;
};

struct blk_request {
  struct list_head waiting; /* while the queue is full */
  struct virtio_blk_outhdr header;
  u64 id;
  void *data; /* of the caller; or the ranges, of a request that has some */
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
static u32 range_sectors_max, ranges_max; /* of a discard or a write of zeroes */

static bool has_ranges(u32 type) { return type == PLAIT_REQUEST_DISCARD || type == PLAIT_REQUEST_WRITE_ZEROES; }

/* A sector a segment, between header and status. */
static int blk_add(struct blk_queue *queue, struct blk_request *request) {
  struct plait_segment segments[PLAIT_SEGMENTS_MAX];
  const u32 type = request->header.type;
  u16 count = 0;
  segments[count++] = (struct plait_segment){&request->header, sizeof request->header};
  for (u32 at = 0; at < request->bytes; at += SECTOR_BYTES) {
    const u32 left = request->bytes - at;
    segments[count++] = (struct plait_segment){(char *)request->data + at, left < SECTOR_BYTES ? left : SECTOR_BYTES};
  }
  segments[count++] = (struct plait_segment){&request->status, 1};
  const bool reads = type == PLAIT_REQUEST_READ || type == PLAIT_REQUEST_GET_ID;
  const u16 in = reads ? (u16)(count - 1) : 1;
  return virtqueue_add(&queue->vq, segments, (u16)(count - in), in, request);
}

/* What is to be discarded or zeroed, in ranges of at most so many sectors as the device takes. */
static int blk_add_ranges(struct blk_request *request, u64 sector, u32 sectors) {
  const u32 count = (sectors + range_sectors_max - 1) / range_sectors_max;
  if (count > ranges_max) return -EIO;
  struct virtio_blk_discard_write_zeroes *ranges = kmalloc(count * sizeof *ranges, GFP_ATOMIC);
  if (!ranges) return -ENOMEM;
  for (u32 i = 0; i < count; ++i) {
    const u32 left = sectors - i * range_sectors_max;
    ranges[i].sector = sector + i * range_sectors_max;
    ranges[i].num_sectors = left < range_sectors_max ? left : range_sectors_max;
    ranges[i].flags = 0;
  }
  request->header.sector = 0;
  request->data = ranges;
  request->bytes = count * (u32)sizeof *ranges;
  return 0;
}

static void blk_free(struct blk_request *request) {
  if (has_ranges(request->header.type)) kfree(request->data);
  kfree(request);
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
  if (has_ranges(type) && (error = blk_add_ranges(request, sector, bytes / SECTOR_BYTES))) {
    kfree(request);
    goto out;
  }
  error = list_empty(&queue->waiting) ? blk_add(queue, request) : -ENOSPC;
  if (error == -ENOSPC) { /* the handler goes on with it when there is room */
    list_add_tail(&request->waiting, &queue->waiting);
    error = 0;
  } else if (error) {
    blk_free(request);
  }
  kick = virtqueue_kick_prepare(&queue->vq);
out:
  spin_unlock_irqrestore(&queue->lock, flags);
  if (kick) virtqueue_notify(&queue->vq);
  return error;
}

static void blk_complete(struct blk_request *request) {
  plait_request_done(request->id, request->status);
  blk_free(request);
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

static u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

static int blk_probe(void) {
  const u64 wanted = 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |
                     1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_RO | 1ull << VIRTIO_BLK_F_MQ | 1ull << VIRTIO_BLK_F_SIZE_MAX |
                     1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES |
                     1ull << VIRTIO_F_RING_PACKED;
  u64 features;
  if (!virtio_negotiate(wanted, &features)) return -ENODEV;
  queue_count = virtio_num_queues();
  if (features & 1ull << VIRTIO_BLK_F_SIZE_MAX && ioread32(BLK_CONFIG(size_max)) < SECTOR_BYTES) return -ENODEV;
  if (features & 1ull << VIRTIO_BLK_F_SEG_MAX && ioread32(BLK_CONFIG(seg_max)) < PLAIT_SEGMENTS_MAX) return -ENODEV;
  range_sectors_max =
      smaller(ioread32(BLK_CONFIG(max_discard_sectors)), ioread32(BLK_CONFIG(max_write_zeroes_sectors)));
  ranges_max = smaller(ioread32(BLK_CONFIG(max_discard_seg)), ioread32(BLK_CONFIG(max_write_zeroes_seg)));
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
             .check = blk_check,
             .takes = PLAIT_REQUEST_BIT(PLAIT_REQUEST_GET_ID) | PLAIT_REQUEST_BIT(PLAIT_REQUEST_DISCARD) |
                      PLAIT_REQUEST_BIT(PLAIT_REQUEST_WRITE_ZEROES));
