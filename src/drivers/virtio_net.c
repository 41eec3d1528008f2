/* SPDX-License-Identifier: Apache-2.0
 *
 * The network driver that allocators are tried under. It does with memory what Linux's does: a packet to send is
 * allocated by whoever sends, and freed by the next transmit or in the transmit interrupt; receive buffers are allocated
 * and freed by the poll, which runs as a softirq, on top of whatever the interrupt came upon; when memory is out, a
 * delayed work item tries again with calls that may sleep.
 */
#include "plait/virtio.h"

#define RX 0
#define TX 1
#define NAPI_WEIGHT 4
#define ETH_HLEN 14
#define PACKET_PARTS_MAX 4
#define SMALL_BUFFER 40 /* of those that are merged */

struct virtio_net_hdr_mrg_rxbuf { /* virtio 1.3, 5.1.6 */
  u8 flags;
  u8 gso_type;
  __virtio16 hdr_len;
  __virtio16 gso_size;
  __virtio16 csum_start;
  __virtio16 csum_offset;
  __virtio16 num_buffers;
};

/* A packet to send. The device sees it from the header on. */
struct net_packet {
  struct list_head waiting; /* while the queue is full */
  u32 id;
  u32 bytes;
  struct virtio_net_hdr_mrg_rxbuf header;
  u8 data[];
};

static struct virtqueue rx, tx;
static struct napi_struct napi;
static struct delayed_work refill;
static spinlock_t tx_lock;
static struct list_head tx_waiting;
static u32 buffer_bytes;  /* of one to receive into */
static u32 buffers_enough; /* so many hold any packet */
static bool mergeable;
static bool starved; /* the refill found no memory: when some is freed it is worth another try */

/* ---- receiving */

static u32 rx_posted(void) { return (u32)(rx.num - rx.num_free); }

/* Buffers until the ring is full. false: memory is out, and the device may wait for a buffer. */
static bool rx_fill(gfp_t gfp) {
  while (rx.num_free != 0) {
    struct plait_segment whole = {kmalloc(buffer_bytes, gfp), buffer_bytes};
    if (!whole.data) break;
    if (virtqueue_add(&rx, &whole, 0, 1, whole.data)) {
      kfree(whole.data);
      break;
    }
  }
  if (virtqueue_kick_prepare(&rx)) virtqueue_notify(&rx);
  return rx_posted() >= buffers_enough;
}

/* Hands a packet up, and frees its buffers. */
static void rx_packet(void *first, u32 length) {
  const struct virtio_net_hdr_mrg_rxbuf *header = (const struct virtio_net_hdr_mrg_rxbuf *)first;
  void *buffers[PACKET_PARTS_MAX];
  struct plait_part parts[PACKET_PARTS_MAX];
  const u32 count = mergeable ? header->num_buffers : 1;
  BUG_ON(count == 0 || count > PACKET_PARTS_MAX || length < sizeof *header);
  buffers[0] = first;
  parts[0] = (struct plait_part){(const char *)first + sizeof *header, (u32)(length - sizeof *header)};
  for (u32 i = 1; i < count; ++i) {
    buffers[i] = virtqueue_get_buf(&rx, &length);
    BUG_ON(!buffers[i]); /* the device returns them all at once (5.1.6.4.1) */
    parts[i] = (struct plait_part){buffers[i], length};
  }
  plait_packet_received(parts, count);
  for (u32 i = 0; i < count; ++i) kfree(buffers[i]);
}

static void rx_schedule(void) {
  if (!napi_schedule_prep(&napi)) return;
  virtqueue_disable_cb(&rx);
  __napi_schedule(&napi);
}

static int rx_poll(struct napi_struct *self, int budget) {
  int received = 0;
  void *buffer;
  u32 length;
  while (received < budget && (buffer = virtqueue_get_buf(&rx, &length)) != NULL) {
    rx_packet(buffer, length);
    ++received;
  }
  if (received > 0 && (rx.num_free > rx.num / 2 || rx_posted() < buffers_enough)) {
    if (!rx_fill(GFP_ATOMIC)) schedule_delayed_work(&refill, 0);
  }
  if (received < budget) {
    const unsigned seen = virtqueue_enable_cb_prepare(&rx);
    if (napi_complete_done(self, received)) {
      if (virtqueue_poll(&rx, seen)) rx_schedule(); /* something came before interrupts were on */
    } else {
      virtqueue_disable_cb(&rx);
    }
  }
  return received;
}

/* In a task; nobody polls meanwhile. */
static void rx_refill(struct work_struct *unused) {
  (void)unused;
  napi_disable(&napi);
  WRITE_ONCE(starved, !rx_fill(GFP_KERNEL));
  napi_enable(&napi);
  local_bh_disable();
  rx_schedule(); /* what came in meanwhile raised no interrupt that anybody followed */
  local_bh_enable();
}

/* ---- sending */

static int tx_add(struct net_packet *packet) {
  struct plait_segment segments[2] = {{&packet->header, sizeof packet->header}, {packet->data, packet->bytes}};
  return virtqueue_add(&tx, segments, 2, 0, packet);
}

/* Locked. What the device has sent is freed; what waits for room goes on. */
static void tx_reclaim(void) {
  struct net_packet *packet;
  u32 length;
  do {
    virtqueue_disable_cb(&tx);
    while ((packet = (struct net_packet *)virtqueue_get_buf(&tx, &length)) != NULL) {
      plait_request_done(packet->id, 0);
      kfree(packet);
    }
  } while (!virtqueue_enable_cb(&tx));
  while (!list_empty(&tx_waiting)) {
    packet = list_first_entry(&tx_waiting, struct net_packet, waiting);
    if (tx_add(packet)) break; /* when nothing is under way there is a table in reserve */
    list_del(&packet->waiting);
  }
  if (READ_ONCE(starved)) schedule_delayed_work(&refill, 0);
}

static int net_xmit(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  int error = 0;
  (void)type;
  (void)sector;
  struct net_packet *packet = (struct net_packet *)kmalloc(sizeof *packet + bytes, GFP_ATOMIC);
  if (!packet) return -ENOMEM;
  memset(&packet->header, 0, sizeof packet->header);
  packet->id = (u32)id;
  packet->bytes = bytes;
  memcpy(packet->data, data, bytes);
  spin_lock_irqsave(&tx_lock, flags);
  tx_reclaim();
  error = list_empty(&tx_waiting) ? tx_add(packet) : -ENOSPC;
  if (error == -ENOSPC) {
    list_add_tail(&packet->waiting, &tx_waiting);
    error = 0;
  }
  const bool kick = virtqueue_kick_prepare(&tx);
  spin_unlock_irqrestore(&tx_lock, flags);
  if (kick) virtqueue_notify(&tx);
  if (error) kfree(packet);
  return error;
}

/* ---- interrupts */

static irqreturn_t rx_interrupt(int irq, void *unused) {
  (void)irq;
  (void)unused;
  rx_schedule();
  return IRQ_HANDLED;
}

static irqreturn_t tx_interrupt(int irq, void *unused) {
  unsigned long flags;
  (void)irq;
  (void)unused;
  spin_lock_irqsave(&tx_lock, flags);
  tx_reclaim();
  const bool kick = virtqueue_kick_prepare(&tx);
  spin_unlock_irqrestore(&tx_lock, flags);
  if (kick) virtqueue_notify(&tx);
  return IRQ_HANDLED;
}

/* ---- bring-up */

/* A ring of few entries has larger buffers, so that it holds any packet. */
static void size_buffers(u32 largest) {
  u32 bytes = largest;
  if (mergeable) {
    bytes = (largest + rx.num - 1) / rx.num;
    const u32 parts = (largest + PACKET_PARTS_MAX - 1) / PACKET_PARTS_MAX;
    if (bytes < parts) bytes = parts;
    if (bytes < SMALL_BUFFER) bytes = SMALL_BUFFER;
  }
  buffer_bytes = bytes;
  buffers_enough = (largest + bytes - 1) / bytes;
}

static int net_probe(void) {
  const u64 wanted = 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_NET_F_MTU |
                     1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_F_RING_PACKED;
  u64 features;
  int error;
  if (!virtio_negotiate(wanted, &features)) return -ENODEV;
  if (!(features >> VIRTIO_NET_F_MTU & 1)) return -ENODEV;
  mergeable = (features >> VIRTIO_NET_F_MRG_RXBUF & 1) != 0;
  spin_lock_init(&tx_lock);
  INIT_LIST_HEAD(&tx_waiting);
  plait_napi_add(&napi, rx_poll, NAPI_WEIGHT);
  INIT_DELAYED_WORK(&refill, rx_refill);
  error = virtio_setup_queue(&rx, RX, features & ~(1ull << VIRTIO_RING_F_INDIRECT_DESC), RX); /* one part a buffer */
  if (!error) error = virtio_setup_queue(&tx, TX, features, TX);
  if (!error) error = request_irq(RX, rx_interrupt, 0, "net-rx", NULL);
  if (!error) error = request_irq(TX, tx_interrupt, 0, "net-tx", NULL);
  if (error) return error;
  size_buffers((u32)sizeof(struct virtio_net_hdr_mrg_rxbuf) + ETH_HLEN + ioread16(PLAIT_REGISTER(PLAIT_IO_DEVICE + 10)));
  plait_start_deferred();
  virtio_add_status(VIRTIO_CONFIG_S_DRIVER_OK);
  return rx_fill(GFP_KERNEL) ? 0 : -ENOMEM;
}

static void net_check(void) {
  u32 posted = 0;
  for (u32 i = 0; i < rx.num; ++i) { /* receive buffers stay with the device */
    if (!rx.state[i].data) continue;
    plait_report_kept(rx.state[i].data);
    ++posted;
  }
  PLAIT_ASSERT(list_empty(&tx_waiting));
  plait_report_descriptors(RX, rx.num_free + posted);
  plait_report_descriptors(TX, tx.num_free);
  plait_report_mempool(&tx.tables);
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_NET, .probe = net_probe, .request = net_xmit, .interrupt = plait_do_irq,
             .check = net_check);
