/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread looks for requests whose interrupt is late and completes what it finds on the ring, as the handler
 * does. It does so without the lock: both find the same one.
 */
#include "../common/blk.h"

static plait_semaphore_t ticks;

static void timeout_thread(void *unused) {
  (void)unused;
  for (;;) {
    plait_sem_down(&ticks);
#ifdef PLAIT_TWIN
    blk_interrupt_locked(0);
#else
    blk_reap();
    blk_restart();
    if (virtqueue_kick_prepare(&vq)) virtqueue_notify(&vq);
#endif
  }
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  const int error = blk_request_locked(id, type, sector, data, bytes);
  plait_sem_up(&ticks);
  return error;
}

static int probe(void) {
  plait_worker_start(0, timeout_thread, NULL);
  return blk_bring_up();
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = probe, .request = request, .interrupt = blk_interrupt_locked,
             .check = blk_report);
