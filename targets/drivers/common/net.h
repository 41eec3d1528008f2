/* SPDX-License-Identifier: Apache-2.0
 *
 * What the planted network drivers have in common, so that each shows what is its own: packets to send and how they
 * become descriptors, buffers to receive into, bring-up, and the report at the end. A packet that comes in lies in one
 * buffer.
 */
#ifndef PLANTED_NET_H
#define PLANTED_NET_H

#include "plait/virtio.h"

#define BUDGET 4
#define BUFFER_BYTES (12 + 14 + 68) /* the device's header, Ethernet's, the MTU */

struct net_packet {
  struct list_head waiting; /* while the queue is full */
  u32 id;
  u32 bytes;
  u8 *frame; /* its own object: the device's header (virtio 1.3, 5.1.6), then the packet */
};

static struct virtqueue rx, tx;
static struct napi_struct napi;
static spinlock_t tx_lock;
static LIST_HEAD(tx_waiting);

__PLAIT_STATIC struct net_packet *net_make(u64 id, const void *data, u32 bytes) {
  struct net_packet *packet = (struct net_packet *)kmalloc(sizeof *packet, GFP_ATOMIC);
  if (!packet) return NULL;
  packet->frame = (u8 *)kmalloc(12 + (size_t)bytes, GFP_ATOMIC);
  if (!packet->frame) {
    kfree(packet);
    return NULL;
  }
  packet->id = (u32)id;
  packet->bytes = bytes;
  memset(packet->frame, 0, 12);
  memcpy(packet->frame + 12, data, bytes);
  return packet;
}
__PLAIT_STATIC void net_free(struct net_packet *packet) {
  kfree(packet->frame);
  kfree(packet);
}

/* Locked. */
__PLAIT_STATIC int net_add(struct net_packet *packet) {
  const struct plait_segment segments[2] = {{packet->frame, 12}, {packet->frame + 12, packet->bytes}};
  return virtqueue_add(&tx, segments, 2, 0, packet);
}

/* Locked. 0: on the ring; 1: behind those that wait for room; or an error. */
__PLAIT_STATIC int net_submit(struct net_packet *packet) {
  const int error = list_empty(&tx_waiting) ? net_add(packet) : -ENOSPC;
  if (error != -ENOSPC) return error;
  list_add_tail(&packet->waiting, &tx_waiting);
  return 1;
}

/* Locked. There is room again. */
__PLAIT_STATIC void net_restart(void) {
  while (!list_empty(&tx_waiting)) {
    struct net_packet *packet = list_first_entry(&tx_waiting, struct net_packet, waiting);
    if (net_add(packet)) return;
    list_del(&packet->waiting);
  }
}

/* Locked. All that the device has sent, until there is nothing and interrupts are on again. */
__PLAIT_STATIC void net_reclaim(void (*over)(struct net_packet *packet)) {
  struct net_packet *packet;
  u32 length;
  do {
    virtqueue_disable_cb(&tx);
    while ((packet = (struct net_packet *)virtqueue_get_buf(&tx, &length)) != NULL) over(packet);
  } while (!virtqueue_enable_cb(&tx));
  net_restart();
}

__PLAIT_STATIC void net_sent(struct net_packet *packet) {
  plait_request_done(packet->id, 0);
  net_free(packet);
}

/* Buffers until the ring is full, or memory is out. */
__PLAIT_STATIC void net_fill(void) {
  while (rx.num_free != 0) {
    const struct plait_segment whole = {kmalloc(BUFFER_BYTES, GFP_ATOMIC), BUFFER_BYTES};
    if (!whole.data) break;
    if (virtqueue_add(&rx, &whole, 0, 1, whole.data)) {
      kfree(whole.data);
      break;
    }
  }
  if (virtqueue_kick_prepare(&rx)) virtqueue_notify(&rx);
}

__PLAIT_STATIC void net_hand_up(void *buffer, u32 length) {
  const struct plait_part part = {(const char *)buffer + 12, length - 12};
  plait_packet_received(&part, 1);
  kfree(buffer);
}

__PLAIT_STATIC void net_schedule(void) {
  if (!napi_schedule_prep(&napi)) return;
  virtqueue_disable_cb(&rx);
  __napi_schedule(&napi);
}

__PLAIT_STATIC irqreturn_t net_rx_interrupt(int irq, void *unused) {
  (void)irq;
  (void)unused;
  net_schedule();
  return IRQ_HANDLED;
}

/* The usual transmit and its interrupt, for drivers that go wrong elsewhere. */
__PLAIT_STATIC int net_xmit_usual(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  (void)type;
  (void)sector;
  struct net_packet *packet = net_make(id, data, bytes);
  if (!packet) return -ENOMEM;
  spin_lock_irqsave(&tx_lock, flags);
  net_reclaim(net_sent);
  const int error = net_submit(packet);
  const bool kick = virtqueue_kick_prepare(&tx);
  spin_unlock_irqrestore(&tx_lock, flags);
  if (kick) virtqueue_notify(&tx);
  if (error < 0) net_free(packet);
  return error < 0 ? error : 0;
}

__PLAIT_STATIC irqreturn_t net_tx_interrupt_usual(int irq, void *unused) {
  unsigned long flags;
  (void)irq;
  (void)unused;
  spin_lock_irqsave(&tx_lock, flags);
  net_reclaim(net_sent);
  const bool kick = virtqueue_kick_prepare(&tx);
  spin_unlock_irqrestore(&tx_lock, flags);
  if (kick) virtqueue_notify(&tx);
  return IRQ_HANDLED;
}

/* The usual poll. */
__PLAIT_STATIC int net_poll_usual(struct napi_struct *self, int budget) {
  int done = 0;
  void *buffer;
  u32 length;
  while (done < budget && (buffer = virtqueue_get_buf(&rx, &length)) != NULL) {
    net_hand_up(buffer, length);
    ++done;
  }
  if (done > 0) net_fill();
  if (done < budget) {
    const unsigned seen = virtqueue_enable_cb_prepare(&rx);
    if (!napi_complete_done(self, done)) {
      virtqueue_disable_cb(&rx);
    } else if (virtqueue_poll(&rx, seen)) {
      net_schedule();
    }
  }
  return done;
}

__PLAIT_STATIC int net_bring_up(int (*poll)(struct napi_struct *self, int budget), irq_handler_t tx_interrupt) {
  const u64 indirect = 1ull << VIRTIO_RING_F_INDIRECT_DESC;
  u64 features;
  if (!virtio_negotiate(indirect | 1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_NET_F_MTU, &features)) return -ENODEV;
  spin_lock_init(&tx_lock);
  INIT_LIST_HEAD(&tx_waiting);
  plait_start_deferred();
  plait_napi_add(&napi, poll, BUDGET);
  int error = virtio_setup_queue(&rx, 0, features & ~indirect, 0);
  if (!error) error = virtio_setup_queue(&tx, 1, features, 1);
  if (!error) error = request_irq(0, net_rx_interrupt, 0, "rx", NULL);
  if (!error) error = request_irq(1, tx_interrupt, 0, "tx", NULL);
  if (error) return error;
  virtio_add_status(VIRTIO_CONFIG_S_DRIVER_OK);
  net_fill();
  return rx.num_free == rx.num ? -ENOMEM : 0;
}

__PLAIT_STATIC void net_report(void) {
  u32 posted = 0;
  for (u32 i = 0; i < rx.num; ++i) {
    if (!rx.state[i].data) continue;
    plait_report_kept(rx.state[i].data);
    ++posted;
  }
  plait_report_descriptors(0, rx.num_free + posted);
  plait_report_descriptors(1, tx.num_free);
  plait_report_mempool(&tx.tables);
}

#endif
