/* SPDX-License-Identifier: Apache-2.0
 *
 * A request that finds the queue full is put behind the others, and the handler, which makes room, does not look
 * there. The next request would; when there is none, the last ones are never given to the device.
 */
#include "../common/blk.h"

static void interrupt(u32 vector) {
  unsigned long flags;
  (void)vector;
  spin_lock_irqsave(&queue_lock, flags);
  blk_reap();
#ifdef PLAIT_TWIN
  blk_restart();
#endif
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  spin_lock_irqsave(&queue_lock, flags);
  blk_restart(); /* those that came first, first */
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
  return error;
}

BLK_DRIVER(request, interrupt);
