/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller is told last, so that it may come back at once; by then the request, with the status byte in it, is
 * the allocator's again.
 */
#include "../common/blk.h"

static void interrupt(u32 vector) {
  struct blk_request *request;
  unsigned long flags;
  u32 length;
  (void)vector;
  spin_lock_irqsave(&queue_lock, flags);
  do {
    virtqueue_disable_cb(&vq);
    while ((request = virtqueue_get_buf(&vq, &length)) != NULL) {
      const u64 id = request->id;
#ifdef PLAIT_TWIN
      const u8 status = request->status;
      kfree(request);
      plait_request_done(id, status);
#else
      kfree(request);
      plait_request_done(id, request->status);
#endif
    }
  } while (!virtqueue_enable_cb(&vq));
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

BLK_DRIVER(blk_request_locked, interrupt);
