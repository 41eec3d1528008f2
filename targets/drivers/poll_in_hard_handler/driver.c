/* SPDX-License-Identifier: Apache-2.0
 *
 * The lock is one between tasks: it is taken with interrupts on, as is right when the poll runs in a context of
 * its own. The environment calls the poll from the hard handler, on top of whoever holds the lock.
 */
#include "../common/blk.h"

static plait_semaphore_t polls;

static void poll(void) {
  spin_lock(&queue_lock);
  blk_reap();
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock(&queue_lock);
  if (kick) virtqueue_notify(&vq);
}

static void poll_thread(void *unused) {
  (void)unused;
  for (;;) {
    plait_sem_down(&polls);
    poll();
  }
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  spin_lock(&queue_lock);
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock(&queue_lock);
  if (kick) virtqueue_notify(&vq);
  return error;
}

static void interrupt(u32 vector) {
  (void)vector;
#ifdef PLAIT_TWIN
  plait_sem_up(&polls);
#else
  poll();
#endif
}

static int probe(void) {
  plait_worker_start(0, poll_thread, NULL);
  return blk_bring_up();
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = probe, .request = request, .interrupt = interrupt,
             .check = blk_report);
