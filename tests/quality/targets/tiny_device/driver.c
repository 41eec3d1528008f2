/* SPDX-License-Identifier: Apache-2.0
 *
 * So few steps that all their executions can be listed: flushes only, whose descriptors are filled once for all, asked for
 * by one task. The handler calls the allocator, which has nothing for it.
 */
#include "plait/virtio.h"

#define REQUESTS_MAX 2

struct header {
  u32 type, reserved;
  u64 sector;
};

static struct virtqueue vq;
static struct header *headers;
static u8 *status; /* 8 bytes apart, so that they are places of their own */
static u16 asked, seen;

static int tiny_probe(void) {
  u64 features;
  if (!virtio_negotiate(0, &features) || virtio_setup_queue(&vq, 0, features, 0)) return -1;
  headers = plait_dma_alloc(sizeof *headers * REQUESTS_MAX, 64);
  status = plait_dma_alloc(8 * REQUESTS_MAX, 64);
  for (u16 i = 0; i < REQUESTS_MAX; ++i) {
    const struct plait_segment out = {&headers[i], sizeof *headers}, in = {&status[8 * i], 1};
    headers[i].type = PLAIT_REQUEST_FLUSH;
    virtqueue_fill(&vq.desc[2 * i], &out, false, true, (u16)(2 * i + 1));
    virtqueue_fill(&vq.desc[2 * i + 1], &in, true, false, 0);
    vq.avail->ring[i] = (u16)(2 * i);
  }
  virtio_add_status(VIRTIO_CONFIG_S_DRIVER_OK);
  return 0;
}

static int tiny_request(u64 id, u32 type, u64 sector, void *data, u32 bytes) {
  (void)type, (void)sector, (void)data, (void)bytes;
  __atomic_store_n(&vq.avail->idx, (u16)(id + 1), __ATOMIC_RELEASE);
  virtqueue_notify(&vq);
  return 0;
}

static void tiny_interrupt(u32 vector) {
  (void)vector;
#ifdef PLAIT_EARLY
  const u16 used = asked = (u16)(asked + 1); /* there was an interrupt for each, was there not? */
#else
  const u16 used = __atomic_load_n(&vq.used->idx, __ATOMIC_ACQUIRE);
#endif
  for (; seen != used; ++seen) {
    const u32 request = vq.used->ring[seen].id / 2;
    plait_request_done(request, status[8 * request]);
    (void)plait_object_alloc(2);
  }
}

PLAIT_DRIVER(.device = PLAIT_DEVICE_BLOCK, .probe = tiny_probe, .request = tiny_request, .interrupt = tiny_interrupt);
