/* SPDX-License-Identifier: Apache-2.0
 *
 * What a packet holds is freed as soon as the device was told of it, as if it had been sent by then. The device reads it
 * when it comes to it.
 */
#include "../common/net.h"

static int xmit(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  (void)type;
  (void)sector;
  struct net_packet *packet = net_make(id, data, bytes);
  if (!packet) return -ENOMEM;
  spin_lock_irqsave(&tx_lock, flags);
  net_reclaim(net_sent);
  const int error = net_submit(packet);
  if (virtqueue_kick_prepare(&tx)) virtqueue_notify(&tx);
#ifndef PLAIT_TWIN
  if (error == 0) {
    kfree(packet->frame);
    packet->frame = NULL;
  }
#endif
  spin_unlock_irqrestore(&tx_lock, flags);
  if (error < 0) net_free(packet);
  return error < 0 ? error : 0;
}

static int probe(void) { return net_bring_up(net_poll_usual, net_tx_interrupt_usual); }

PLAIT_DRIVER(.device = PLAIT_DEVICE_NET, .probe = probe, .request = xmit, .interrupt = plait_do_irq, .check = net_report);
