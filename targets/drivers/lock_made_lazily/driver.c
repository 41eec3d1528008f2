/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment makes a lock when it is first used, because the carried-over code has no place to do it. Two
 * requests that come first make one each, and each takes its own.
 */
#include "../common/blk.h"

static spinlock_t *lazy_lock;

static spinlock_t *the_lock(void) {
#ifdef PLAIT_TWIN
  return &queue_lock;
#else
  spinlock_t *lock = READ_ONCE(lazy_lock);
  if (lock) return lock;
  lock = kmalloc(sizeof *lock, GFP_ATOMIC);
  BUG_ON(!lock);
  spin_lock_init(lock);
  smp_wmb();
  WRITE_ONCE(lazy_lock, lock);
  return lock;
#endif
}

static int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  unsigned long flags;
  spinlock_t *lock = the_lock();
  spin_lock_irqsave(lock, flags);
  const int error = blk_submit(id, type, sector, data, bytes);
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(lock, flags);
  if (kick) virtqueue_notify(&vq);
  return error;
}

static void interrupt(u32 vector) {
  unsigned long flags;
  (void)vector;
  spinlock_t *lock = the_lock();
  spin_lock_irqsave(lock, flags);
  blk_reap();
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(lock, flags);
  if (kick) virtqueue_notify(&vq);
}

static void report(void) {
  blk_report();
  if (lazy_lock) plait_report_kept(lazy_lock);
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = blk_bring_up, .request = request, .interrupt = interrupt,
             .check = report);
