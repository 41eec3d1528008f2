/* SPDX-License-Identifier: Apache-2.0
 *
 * What the device returns between the last look and the moment at which interrupts are wanted again raises none:
 * virtio 1.3, 2.7.14, has the driver look once more.
 */
#include "../common/blk.h"

static void interrupt(u32 vector) {
  struct blk_request *request;
  unsigned long flags;
  u32 length;
  (void)vector;
  spin_lock_irqsave(&queue_lock, flags);
#ifdef PLAIT_TWIN
  blk_reap();
#else
  virtqueue_disable_cb(&vq);
  while ((request = virtqueue_get_buf(&vq, &length)) != NULL) blk_complete(request);
  virtqueue_enable_cb(&vq);
#endif
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

BLK_DRIVER(blk_request_locked, interrupt);
