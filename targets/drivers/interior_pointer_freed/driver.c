/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver keeps a pointer to the header, which was the first member of the request once. Somebody put another
 * member in front of it.
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
      plait_request_done(request->id, request->status);
#ifdef PLAIT_TWIN
      kfree(request);
#else
      kfree(&request->header);
#endif
    }
  } while (!virtqueue_enable_cb(&vq));
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

BLK_DRIVER(blk_request_locked, interrupt);
