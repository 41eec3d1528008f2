/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever filled the indirect table frees it after the kick: the device has been told of it, after all. It reads
 * the table later.
 */
#include "../common/blk.h"

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
#ifdef PLAIT_TWIN
  return blk_request_locked(id, type, sector, data, bytes);
#else
  unsigned long flags;
  spin_lock_irqsave(&queue_lock, flags);
  const u16 head = vq.free_head;
  const u16 before = vq.avail_shadow;
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  if (kick) virtqueue_notify(&vq);
  if (vq.indirect && vq.avail_shadow != before) {
    mempool_free(vq.state[head].table, &vq.tables);
    vq.state[head].table = NULL;
  }
  spin_unlock_irqrestore(&queue_lock, flags);
  return error;
#endif
}

BLK_DRIVER(request, blk_interrupt_locked);
