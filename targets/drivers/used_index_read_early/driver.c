/* SPDX-License-Identifier: Apache-2.0
 *
 * The second look is there, but at an index that was read before interrupts were wanted again: what the device
 * returned in between is seen by nobody.
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
  u16 used;
  do {
    virtqueue_disable_cb(&vq);
    used = READ_ONCE(vq.used->idx);
    while (vq.last_used != used && (request = virtqueue_get_buf(&vq, &length)) != NULL) blk_complete(request);
    virtqueue_enable_cb(&vq);
  } while (used != vq.last_used);
#endif
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

BLK_DRIVER(blk_request_locked, interrupt);
