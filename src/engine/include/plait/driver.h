/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/driver.h: declares a device driver to Plait. A driver stands above the allocator under test, takes all its
 * memory from it, and talks to an emulated device by its registers and rings. One declaration a driver:
 *
 *     PLAIT_DRIVER(
 *       .device = PLAIT_DEVICE_BLOCK,
 *       .probe = my_probe,
 *       .request = my_request,
 *       .interrupt = my_interrupt,
 *     );
 *
 * Its code runs as an allocator's does: each access and each call below is a visible operation. plait/linux.h has the
 * same under the names of the Linux kernel.
 */
#ifndef PLAIT_DRIVER_H
#define PLAIT_DRIVER_H

#include "plait/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLAIT_DRIVER_ABI 1u
#define PLAIT_DEVICE_NET 1u /* the device's number in virtio 1.3, 5 */
#define PLAIT_DEVICE_BLOCK 2u

/* What a request asks for; the numbers of virtio 1.3, 5.2.6. */
#define PLAIT_REQUEST_READ 0u
#define PLAIT_REQUEST_WRITE 1u
#define PLAIT_REQUEST_FLUSH 4u
#define PLAIT_REQUEST_GET_ID 8u
#define PLAIT_REQUEST_DISCARD 11u
#define PLAIT_REQUEST_WRITE_ZEROES 13u
#define PLAIT_REQUEST_BIT(type) (1u << (type))
/* A packet is to be sent; no number of virtio's, which has none. */
#define PLAIT_REQUEST_SEND 0x100u

struct plait_driver {
  uint32_t abi;    /* filled in by PLAIT_DRIVER */
  uint32_t device; /* PLAIT_DEVICE_* */

  /* Finds the device and brings it up. Runs alone, after the allocator's init. 0, or a negative error: then nothing
   * can be run. */
  int (*probe)(void);
  /* Takes a request: 0, and it will be completed by plait_request_done, or negative when memory is out. Called from
   * tasks that may sleep, on any CPU, by several at once. `data`: of the caller, `bytes` long, in segments of 512; of
   * a packet, in one; of a name, 20 bytes; NULL where there is none: then `bytes` are those of the sectors that are
   * meant. It is the caller's again when the request is complete. */
  int (*request)(uint64_t id, uint32_t type, uint64_t sector, void *data, uint32_t bytes);
  /* The device raised this vector. An interrupt handler: interrupts are off, nothing may sleep. */
  void (*interrupt)(uint32_t vector);
  /* Called at quiescence, alone: check invariants, report descriptors and what is kept. May be NULL. */
  void (*check)(void);
  /* PLAIT_REQUEST_BIT of each type that it takes beside read, write and flush; it is not asked for others. */
  uint32_t takes;
};

/* The allocator under test. alloc: NULL when memory is out. free: of what alloc returned, by whoever. */
void *plait_object_alloc(size_t size);
void plait_object_free(void *object);

/* The request is complete; `status` is the byte that the device left. Legal in a handler. */
void plait_request_done(uint64_t id, uint32_t status);

/* A packet came in, in so many parts, without the header of the device. The parts are read before the call returns. Legal
 * in a handler. */
struct plait_part {
  const void *data;
  uint32_t bytes;
};
void plait_packet_received(const struct plait_part *parts, uint32_t count);

/* The device's registers, as virtio 1.3 has them on PCI: common configuration (4.1.4.3) at 0, notification of queue q
 * (4.1.4.4) at PLAIT_IO_NOTIFY + 2q, configuration of the device at PLAIT_IO_DEVICE. `bytes`: 1, 2, 4 or 8. A write
 * to a notification register is a kick. */
#define PLAIT_IO_NOTIFY 0x100u
#define PLAIT_IO_DEVICE 0x200u
uint64_t plait_io_read(uint32_t offset, uint32_t bytes);
void plait_io_write(uint32_t offset, uint64_t value, uint32_t bytes);

/* Zeroed memory that the device may read and write for ever, for rings. Only in probe; not from the allocator. */
void *plait_dma_alloc(size_t size, size_t alignment);

/* ---- inside `check` */

/* So many descriptors of this queue are free; when nothing is under way all of them have to be. */
void plait_report_descriptors(uint32_t queue, uint32_t free);
/* An object that the driver keeps although nothing is under way (a cache, a reserve). */
void plait_report_kept(const void *object);

#ifdef __cplusplus
}
#define PLAIT_DRIVER_EXTERN extern "C"
#else
#define PLAIT_DRIVER_EXTERN extern
#endif

/* Defines the one exported symbol that Plait looks for. Fields that are left out are zero, on purpose. */
#define PLAIT_DRIVER(...)                                                                            \
  _Pragma("GCC diagnostic push")                                                                     \
  _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")                                 \
  PLAIT_DRIVER_EXTERN __attribute__((visibility("default"))) const struct plait_driver plait_driver; \
  const struct plait_driver plait_driver = {.abi = PLAIT_DRIVER_ABI, __VA_ARGS__};                   \
  _Pragma("GCC diagnostic pop")                                                                      \
  PLAIT_DRIVER_EXTERN const struct plait_driver plait_driver

#endif /* PLAIT_DRIVER_H */
