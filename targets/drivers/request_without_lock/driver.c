/* SPDX-License-Identifier: Apache-2.0
 *
 * The request function fills descriptors and moves the available index without the lock under which the handler
 * takes descriptors back: the carried-over driver ran below a block layer that used to take it.
 */
#include "../common/blk.h"

static int request_unlocked(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
#ifdef PLAIT_TWIN
  return blk_request_locked(id, type, sector, data, bytes);
#else
  const int error = blk_submit(id, type, sector, data, bytes);
  if (virtqueue_kick_prepare(&vq)) virtqueue_notify(&vq);
  return error;
#endif
}

BLK_DRIVER(request_unlocked, blk_interrupt_locked);
