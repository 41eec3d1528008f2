/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/virtio.h: the driver's side of virtio 1.3 for drivers written against plait/linux.h: bring-up over PCI (3.1, 4.1)
 * and virtqueues, split (2.7) and packed (2.8, plait/virtio_packed.h), under the names of Linux's virtio drivers.
 *
 * A virtqueue is not locked: its user calls all of it under one lock, except virtqueue_notify. Its own bookkeeping is
 * static; an indirect table comes from the allocator under test, with one in reserve.
 */
#ifndef PLAIT_VIRTIO_H
#define PLAIT_VIRTIO_H

#include "plait/linux.h"

#define VIRTIO_CONFIG_S_ACKNOWLEDGE 1
#define VIRTIO_CONFIG_S_DRIVER 2
#define VIRTIO_CONFIG_S_DRIVER_OK 4
#define VIRTIO_CONFIG_S_FEATURES_OK 8
#define VIRTIO_CONFIG_S_FAILED 128
#define VIRTIO_NET_F_MTU 3
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_BLK_F_SIZE_MAX 1
#define VIRTIO_BLK_F_SEG_MAX 2
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_BLK_SIZE 6
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_MQ 12
#define VIRTIO_BLK_F_DISCARD 13
#define VIRTIO_BLK_F_WRITE_ZEROES 14
#define VIRTIO_RING_F_INDIRECT_DESC 28
#define VIRTIO_RING_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_RING_PACKED 34
#define VIRTIO_MSI_NO_VECTOR 0xffff

#define VRING_DESC_F_NEXT 1
#define VRING_DESC_F_WRITE 2
#define VRING_DESC_F_INDIRECT 4
#define VRING_AVAIL_F_NO_INTERRUPT 1
#define VRING_USED_F_NO_NOTIFY 1

#define PLAIT_VRING_SIZE_MAX 256
#define PLAIT_VIRTQUEUES_MAX 4
#define PLAIT_SEGMENTS_MAX 6 /* of one buffer */

struct vring_desc {
  __virtio64 addr;
  __virtio32 len;
  __virtio16 flags;
  __virtio16 next;
};
struct vring_avail {
  __virtio16 flags;
  __virtio16 idx;
  __virtio16 ring[]; /* and used_event behind */
};
struct vring_used_elem {
  __virtio32 id;
  __virtio32 len;
};
struct vring_used {
  __virtio16 flags;
  __virtio16 idx;
  struct vring_used_elem ring[]; /* and avail_event behind */
};

/* A part of a buffer. */
struct plait_segment {
  void *data;
  u32 bytes;
};

struct vring_packed_desc {
  __virtio64 addr;
  __virtio32 len;
  __virtio16 id;
  __virtio16 flags;
};
struct vring_packed_desc_event {
  __virtio16 off_wrap;
  __virtio16 flags;
};

/* Of a packed queue, `desc` and its two rings are not used; of a split one, `ring` and what follows it. */
struct virtqueue {
  u16 index;
  u16 num;
  bool packed;
  bool indirect;
  bool event;
  struct vring_packed_desc *ring;
  struct vring_packed_desc_event *driver_event, *device_event;
  u16 next_avail;    /* where the next buffer goes */
  bool avail_wrap;
  bool used_wrap;    /* of last_used */
  struct vring_desc *desc;
  struct vring_avail *avail;
  struct vring_used *used;
  u16 free_head;
  u16 num_free;
  u16 num_added;     /* since the last kick */
  u16 avail_shadow;  /* of avail->idx */
  u16 flags_shadow;  /* of avail->flags */
  u16 last_used;
  mempool_t tables;
  struct {
    void *data;
    struct vring_desc *table;
    u16 next; /* of the free ids of a packed queue */
    u16 num;  /* descriptors that the buffer takes up there */
  } state[PLAIT_VRING_SIZE_MAX];
};

#define vring_used_event(vq) ((vq)->avail->ring[(vq)->num])
#define vring_avail_event(vq) (*(__virtio16 *)&(vq)->used->ring[(vq)->num])

__PLAIT_STATIC bool vring_need_event(u16 event, u16 now, u16 old) { return (u16)(now - event - 1) < (u16)(now - old); }

#include "plait/virtio_packed.h"

/* ---- registers */

#define PLAIT_REGISTER(offset) ((void *)(uintptr_t)(offset))

__PLAIT_STATIC u8 virtio_get_status(void) { return ioread8(PLAIT_REGISTER(0x14)); }
__PLAIT_STATIC void virtio_set_status(u8 status) { iowrite8(status, PLAIT_REGISTER(0x14)); }
__PLAIT_STATIC void virtio_add_status(u8 bits) { virtio_set_status((u8)(virtio_get_status() | bits)); }
__PLAIT_STATIC void virtio_reset_device(void) {
  virtio_set_status(0);
  while (virtio_get_status() != 0) cpu_relax();
}

/* Resets the device and settles on the features that both sides have; false: the device does not want them. */
__PLAIT_STATIC bool virtio_negotiate(u64 wanted, u64 *features) {
  virtio_reset_device();
  virtio_add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
  virtio_add_status(VIRTIO_CONFIG_S_DRIVER);
  iowrite32(0, PLAIT_REGISTER(0x00));
  *features = ioread32(PLAIT_REGISTER(0x04));
  iowrite32(1, PLAIT_REGISTER(0x00));
  *features |= (u64)ioread32(PLAIT_REGISTER(0x04)) << 32;
  *features &= wanted | 1ull << VIRTIO_F_VERSION_1;
  iowrite32(0, PLAIT_REGISTER(0x08));
  iowrite32((u32)*features, PLAIT_REGISTER(0x0c));
  iowrite32(1, PLAIT_REGISTER(0x08));
  iowrite32((u32)(*features >> 32), PLAIT_REGISTER(0x0c));
  virtio_add_status(VIRTIO_CONFIG_S_FEATURES_OK);
  if (virtio_get_status() & VIRTIO_CONFIG_S_FEATURES_OK) return true;
  virtio_add_status(VIRTIO_CONFIG_S_FAILED);
  return false;
}

__PLAIT_STATIC u16 virtio_num_queues(void) { return ioread16(PLAIT_REGISTER(0x12)); }

/* Gives the queue its rings and its vector. 0 or a negative error. */
__PLAIT_STATIC int virtio_setup_queue(struct virtqueue *vq, u16 index, u64 features, u16 vector) {
  memset(vq, 0, offsetof(struct virtqueue, state));
  iowrite16(index, PLAIT_REGISTER(0x16));
  vq->index = index;
  vq->num = ioread16(PLAIT_REGISTER(0x18));
  if (vq->num == 0 || vq->num > PLAIT_VRING_SIZE_MAX) return -ENODEV;
  memset(vq->state, 0, sizeof *vq->state * vq->num); /* no more: in bring-up this took most of the time */
  vq->indirect = (features >> VIRTIO_RING_F_INDIRECT_DESC & 1) != 0;
  vq->packed = (features >> VIRTIO_F_RING_PACKED & 1) != 0;
  vq->event = (features >> VIRTIO_RING_F_EVENT_IDX & 1) != 0;
  if (vq->packed) {
    virtqueue_setup_packed(vq);
  } else {
    vq->desc = (struct vring_desc *)plait_dma_alloc(sizeof(struct vring_desc) * vq->num, 16);
    vq->avail = (struct vring_avail *)plait_dma_alloc(6 + 2 * (size_t)vq->num, 8);
    vq->used = (struct vring_used *)plait_dma_alloc(6 + 8 * (size_t)vq->num, 8);
    for (u16 i = 0; i < vq->num; ++i) vq->desc[i].next = (u16)(i + 1);
  }
  vq->num_free = vq->num;
  if (vq->indirect && mempool_init_kmalloc_pool(&vq->tables, 1, sizeof(struct vring_desc) * PLAIT_SEGMENTS_MAX)) {
    return -ENOMEM;
  }
  iowrite16(vector, PLAIT_REGISTER(0x1a));
  if (ioread16(PLAIT_REGISTER(0x1a)) == VIRTIO_MSI_NO_VECTOR) return -EBUSY;
  iowrite64(vq->packed ? (u64)(uintptr_t)vq->ring : (u64)(uintptr_t)vq->desc, PLAIT_REGISTER(0x20));
  iowrite64(vq->packed ? (u64)(uintptr_t)vq->driver_event : (u64)(uintptr_t)vq->avail, PLAIT_REGISTER(0x28));
  iowrite64(vq->packed ? (u64)(uintptr_t)vq->device_event : (u64)(uintptr_t)vq->used, PLAIT_REGISTER(0x30));
  iowrite16(1, PLAIT_REGISTER(0x1c));
  return 0;
}

/* ---- a queue */

__PLAIT_STATIC void virtqueue_fill(struct vring_desc *desc, const struct plait_segment *segment, bool write, bool more,
                                   u16 next) {
  desc->addr = (u64)(uintptr_t)segment->data;
  desc->len = segment->bytes;
  desc->flags = (u16)((write ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0));
  desc->next = next;
}

/* Makes a buffer available: `out` segments that the device reads, then `in` that it writes. -ENOSPC: the queue is full;
 * -ENOMEM: there is no memory for its table. The device may see it at once; it is told by a kick. */
__PLAIT_STATIC int virtqueue_add(struct virtqueue *vq, const struct plait_segment *segments, u16 out, u16 in, void *data) {
  const u16 total = (u16)(out + in);
  const u16 needed = vq->indirect ? 1 : total;
  struct vring_desc *table = NULL;
  if (vq->num_free < needed) return -ENOSPC;
  if (vq->indirect) {
    table = (struct vring_desc *)mempool_alloc(&vq->tables, GFP_ATOMIC);
    if (!table) return -ENOMEM;
  }
  if (vq->packed) return virtqueue_add_packed(vq, segments, out, in, data, table);
  const u16 head = vq->free_head;
  u16 at = head;
  for (u16 i = 0; i < total; ++i) {
    if (table) {
      virtqueue_fill(&table[i], &segments[i], i >= out, i + 1 < total, (u16)(i + 1));
    } else {
      const u16 next = vq->desc[at].next;
      virtqueue_fill(&vq->desc[at], &segments[i], i >= out, i + 1 < total, next);
      at = next;
    }
  }
  if (table) {
    const struct plait_segment whole = {table, (u32)sizeof(struct vring_desc) * total};
    at = vq->desc[head].next;
    virtqueue_fill(&vq->desc[head], &whole, false, false, at);
    vq->desc[head].flags = VRING_DESC_F_INDIRECT;
  }
  vq->free_head = at;
  vq->num_free = (u16)(vq->num_free - needed);
  vq->state[head].data = data;
  vq->state[head].table = table;
  vq->avail->ring[vq->avail_shadow & (vq->num - 1)] = head;
  virt_wmb(); /* the descriptors before the index that says that they are there (2.7.13.3) */
  ++vq->avail_shadow;
  WRITE_ONCE(vq->avail->idx, vq->avail_shadow);
  ++vq->num_added;
  return 0;
}

/* Whether the device wants to be told of what was added since the last time. */
__PLAIT_STATIC bool virtqueue_kick_prepare(struct virtqueue *vq) {
  virt_mb(); /* the index before the device's wish is read (2.7.13.4.1) */
  if (vq->packed) return virtqueue_kick_prepare_packed(vq);
  const u16 old = (u16)(vq->avail_shadow - vq->num_added);
  const u16 now = vq->avail_shadow;
  if (now == old) return false;
  vq->num_added = 0;
  if (vq->event) return vring_need_event(READ_ONCE(vring_avail_event(vq)), now, old);
  return (READ_ONCE(vq->used->flags) & VRING_USED_F_NO_NOTIFY) == 0;
}
__PLAIT_STATIC void virtqueue_notify(struct virtqueue *vq) { iowrite16(vq->index, PLAIT_REGISTER(PLAIT_IO_NOTIFY + 2 * vq->index)); }

/* A buffer that the device is done with; NULL: there is none. Its table is freed. */
__PLAIT_STATIC void *virtqueue_get_buf(struct virtqueue *vq, u32 *len) {
  if (vq->packed) return virtqueue_get_buf_packed(vq, len);
  if (READ_ONCE(vq->used->idx) == vq->last_used) return NULL;
  virt_rmb(); /* the index before the element that it speaks of */
  const struct vring_used_elem *element = &vq->used->ring[vq->last_used & (vq->num - 1)];
  const u32 head = element->id;
  *len = element->len;
  BUG_ON(head >= vq->num || !vq->state[head].data);
  void *data = vq->state[head].data;
  vq->state[head].data = NULL;
  u16 last = (u16)head;
  u16 count = 1;
  if (!vq->state[head].table) {
    for (; vq->desc[last].flags & VRING_DESC_F_NEXT; ++count) last = vq->desc[last].next;
  } else {
    mempool_free(vq->state[head].table, &vq->tables);
    vq->state[head].table = NULL;
  }
  vq->desc[last].next = vq->free_head;
  vq->free_head = (u16)head;
  vq->num_free = (u16)(vq->num_free + count);
  ++vq->last_used;
  if (vq->event && !(vq->flags_shadow & VRING_AVAIL_F_NO_INTERRUPT)) {
    WRITE_ONCE(vring_used_event(vq), vq->last_used);
    virt_mb();
  }
  return data;
}

/* No more interrupts, please: a hint, the device may still send some. */
__PLAIT_STATIC void virtqueue_disable_cb(struct virtqueue *vq) {
  if (vq->flags_shadow & VRING_AVAIL_F_NO_INTERRUPT) return;
  vq->flags_shadow |= VRING_AVAIL_F_NO_INTERRUPT;
  if (vq->packed) {
    WRITE_ONCE(vq->driver_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
  } else if (!vq->event) {
    WRITE_ONCE(vq->avail->flags, vq->flags_shadow);
  }
}
/* Interrupts again, of what comes after this. What virtqueue_poll says of the number that it returns: true, something has
 * come meanwhile, for which there may be no interrupt; look again (2.7.14). virtqueue_poll changes nothing, so it may be
 * called when the queue is already another's. */
__PLAIT_STATIC unsigned virtqueue_enable_cb_prepare(struct virtqueue *vq) {
  if (vq->packed) return virtqueue_enable_cb_prepare_packed(vq);
  if (vq->flags_shadow & VRING_AVAIL_F_NO_INTERRUPT) {
    vq->flags_shadow &= (u16)~VRING_AVAIL_F_NO_INTERRUPT;
    if (!vq->event) WRITE_ONCE(vq->avail->flags, vq->flags_shadow);
  }
  if (vq->event) WRITE_ONCE(vring_used_event(vq), vq->last_used);
  return vq->last_used;
}
__PLAIT_STATIC bool virtqueue_poll(struct virtqueue *vq, unsigned seen) {
  virt_mb();
  if (vq->packed) return virtqueue_poll_packed(vq, seen);
  return READ_ONCE(vq->used->idx) != (u16)seen;
}
/* Both. false: something has come meanwhile. */
__PLAIT_STATIC bool virtqueue_enable_cb(struct virtqueue *vq) {
  const unsigned seen = virtqueue_enable_cb_prepare(vq);
  return !virtqueue_poll(vq, seen);
}

#endif /* PLAIT_VIRTIO_H */
