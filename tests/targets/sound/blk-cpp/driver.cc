// SPDX-License-Identifier: Apache-2.0
//
// The same headers in C++, and requests that are waited for: on a wait queue when they are reads, for a completion when
// they are not.
#include "../../../../targets/drivers/common/blk.h"

namespace {

struct Waiter {
  blk_request *request = nullptr;
  bool done = false;
  u8 status = 0;
  completion over{};
};

DECLARE_WAIT_QUEUE_HEAD(reads);
Waiter waiters[64];
DEFINE_SPINLOCK(waiters_lock);

Waiter &waiter_of(u64 id) { return waiters[id % ARRAY_SIZE(waiters)]; }

int request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  Waiter &waiter = waiter_of(id);
  unsigned long flags;
  waiter = Waiter{};
  init_completion(&waiter.over);
  if (const int error = blk_request_locked(id, type, sector, data, bytes)) return error;
  if (type == PLAIT_REQUEST_READ) {
    wait_event(reads, READ_ONCE(waiter.done));
  } else {
    wait_for_completion(&waiter.over);
  }
  spin_lock_irqsave(&waiters_lock, flags);
  const u8 status = waiter.status;
  spin_unlock_irqrestore(&waiters_lock, flags);
  plait_request_done(id, status);
  return 0;
}

void interrupt(u32) {
  unsigned long flags;
  u32 length;
  spin_lock_irqsave(&queue_lock, flags);
  do {
    virtqueue_disable_cb(&vq);
    while (auto *request = static_cast<blk_request *>(virtqueue_get_buf(&vq, &length))) {
      Waiter &waiter = waiter_of(request->id);
      const bool read = request->header.type == PLAIT_REQUEST_READ;
      spin_lock(&waiters_lock);
      waiter.status = request->status;
      spin_unlock(&waiters_lock);
      kfree(request);
      smp_wmb();
      WRITE_ONCE(waiter.done, true);
      read ? wake_up(&reads) : complete(&waiter.over);
    }
  } while (!virtqueue_enable_cb(&vq));
  blk_restart();
  const bool kick = virtqueue_kick_prepare(&vq);
  spin_unlock_irqrestore(&queue_lock, flags);
  if (kick) virtqueue_notify(&vq);
}

}  // namespace

BLK_DRIVER(request, interrupt);
