/* SPDX-License-Identifier: Apache-2.0
 *
 * A poll that found the ring empty lets interrupts come again and is over. What the device returned in between, while
 * they were off, raises none, and nobody looks.
 */
#include "../common/net.h"

static int poll(struct napi_struct *self, int budget) {
  int done = 0;
  void *buffer;
  u32 length;
  while (done < budget && (buffer = virtqueue_get_buf(&rx, &length)) != NULL) {
    net_hand_up(buffer, length);
    ++done;
  }
  if (done > 0) net_fill();
  if (done < budget) {
    const unsigned seen = virtqueue_enable_cb_prepare(&rx);
    if (!napi_complete_done(self, done)) {
      virtqueue_disable_cb(&rx);
#ifdef PLAIT_TWIN
    } else if (virtqueue_poll(&rx, seen)) {
      net_schedule();
#endif
    }
    (void)seen;
  }
  return done;
}

static int probe(void) { return net_bring_up(poll, net_tx_interrupt_usual); }

PLAIT_DRIVER(.device = PLAIT_DEVICE_NET, .probe = probe, .request = net_xmit_usual, .interrupt = plait_do_irq,
             .check = net_report);
