/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/virtio_packed.h: the packed half (virtio 1.3, 2.8) of the virtqueues of plait/virtio.h, which includes it. A
 * descriptor says by two bits of its flags whose it is; the first one of a buffer is published last.
 */
#ifndef PLAIT_VIRTIO_PACKED_H
#define PLAIT_VIRTIO_PACKED_H

#define VRING_PACKED_DESC_F_AVAIL (1u << 7)
#define VRING_PACKED_DESC_F_USED (1u << 15)
#define VRING_PACKED_EVENT_FLAG_ENABLE 0
#define VRING_PACKED_EVENT_FLAG_DISABLE 1
#define VRING_PACKED_EVENT_FLAG_DESC 2

__PLAIT_STATIC void virtqueue_setup_packed(struct virtqueue *vq) {
  vq->ring = (struct vring_packed_desc *)plait_dma_alloc(sizeof(struct vring_packed_desc) * vq->num, 16);
  vq->driver_event = (struct vring_packed_desc_event *)plait_dma_alloc(sizeof(struct vring_packed_desc_event), 8);
  vq->device_event = (struct vring_packed_desc_event *)plait_dma_alloc(sizeof(struct vring_packed_desc_event), 8);
  vq->avail_wrap = vq->used_wrap = true;
  for (u16 i = 0; i < vq->num; ++i) vq->state[i].next = (u16)(i + 1);
}

__PLAIT_STATIC int virtqueue_add_packed(struct virtqueue *vq, const struct plait_segment *segments, u16 out, u16 in,
                                        void *data, struct vring_desc *plain_table) {
  struct vring_packed_desc *table = (struct vring_packed_desc *)plain_table;
  const u16 total = (u16)(out + in);
  const u16 count = table ? 1 : total;
  const u16 id = vq->free_head;
  const u16 first = vq->next_avail;
  u16 first_flags = 0;
  for (u16 i = 0; table && i < total; ++i) {
    table[i].addr = (u64)(uintptr_t)segments[i].data;
    table[i].len = segments[i].bytes;
    table[i].id = 0;
    table[i].flags = i >= out ? VRING_DESC_F_WRITE : 0;
  }
  for (u16 i = 0; i < count; ++i) {
    struct vring_packed_desc *desc = &vq->ring[vq->next_avail];
    u16 flags = (u16)(vq->avail_wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED);
    if (table) {
      flags |= VRING_DESC_F_INDIRECT;
    } else {
      flags |= (u16)((i >= out ? VRING_DESC_F_WRITE : 0) | (i + 1 < count ? VRING_DESC_F_NEXT : 0));
    }
    desc->addr = table ? (u64)(uintptr_t)table : (u64)(uintptr_t)segments[i].data;
    desc->len = table ? (u32)sizeof *table * total : segments[i].bytes;
    desc->id = id;
    if (i == 0) {
      first_flags = flags;
    } else {
      desc->flags = flags;
    }
    if (++vq->next_avail == vq->num) {
      vq->next_avail = 0;
      vq->avail_wrap = !vq->avail_wrap;
    }
  }
  vq->free_head = vq->state[id].next;
  vq->num_free = (u16)(vq->num_free - count);
  vq->num_added = (u16)(vq->num_added + count);
  vq->state[id].data = data;
  vq->state[id].table = plain_table;
  vq->state[id].num = count;
  virt_wmb(); /* all of the buffer before the flags that make it the device's (2.8.21.1) */
  WRITE_ONCE(vq->ring[first].flags, first_flags);
  return 0;
}

/* After a full barrier. */
__PLAIT_STATIC bool virtqueue_kick_prepare_packed(struct virtqueue *vq) {
  const u16 now = vq->next_avail;
  const u16 old = (u16)(now - vq->num_added);
  if (vq->num_added == 0) return false;
  vq->num_added = 0;
  const u16 flags = READ_ONCE(vq->device_event->flags);
  if (flags != VRING_PACKED_EVENT_FLAG_DESC) return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
  const u16 off_wrap = READ_ONCE(vq->device_event->off_wrap);
  u16 event = off_wrap & 0x7fff;
  if (off_wrap >> 15 != vq->avail_wrap) event = (u16)(event - vq->num);
  return vring_need_event(event, now, old);
}

/* A place in the ring and the wrap counter there, in one number. */
__PLAIT_STATIC bool virtqueue_poll_packed(struct virtqueue *vq, unsigned place) {
  const u16 flags = READ_ONCE(vq->ring[place & 0x7fff].flags);
  const bool avail = (flags & VRING_PACKED_DESC_F_AVAIL) != 0;
  const bool used = (flags & VRING_PACKED_DESC_F_USED) != 0;
  return avail == used && used == (place >> 15 != 0);
}
__PLAIT_STATIC unsigned virtqueue_used_place(struct virtqueue *vq) {
  return (unsigned)(vq->last_used | vq->used_wrap << 15);
}

__PLAIT_STATIC void *virtqueue_get_buf_packed(struct virtqueue *vq, u32 *len) {
  if (!virtqueue_poll_packed(vq, virtqueue_used_place(vq))) return NULL;
  virt_rmb(); /* the flags before what they speak of */
  const u16 id = vq->ring[vq->last_used].id;
  *len = vq->ring[vq->last_used].len;
  BUG_ON(id >= vq->num || !vq->state[id].data);
  void *data = vq->state[id].data;
  vq->state[id].data = NULL;
  mempool_free(vq->state[id].table, &vq->tables);
  vq->state[id].table = NULL;
  vq->state[id].next = vq->free_head;
  vq->free_head = id;
  vq->num_free = (u16)(vq->num_free + vq->state[id].num);
  vq->last_used = (u16)(vq->last_used + vq->state[id].num);
  if (vq->last_used >= vq->num) {
    vq->last_used = (u16)(vq->last_used - vq->num);
    vq->used_wrap = !vq->used_wrap;
  }
  if (vq->event && !(vq->flags_shadow & VRING_AVAIL_F_NO_INTERRUPT)) {
    WRITE_ONCE(vq->driver_event->off_wrap, (u16)(vq->last_used | vq->used_wrap << 15));
    virt_mb();
  }
  return data;
}

__PLAIT_STATIC unsigned virtqueue_enable_cb_prepare_packed(struct virtqueue *vq) {
  vq->flags_shadow &= (u16)~VRING_AVAIL_F_NO_INTERRUPT;
  if (vq->event) {
    WRITE_ONCE(vq->driver_event->off_wrap, (u16)(vq->last_used | vq->used_wrap << 15));
    virt_wmb(); /* the place before the flags that make it count */
  }
  WRITE_ONCE(vq->driver_event->flags, vq->event ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE);
  return virtqueue_used_place(vq);
}

#endif /* PLAIT_VIRTIO_PACKED_H */
