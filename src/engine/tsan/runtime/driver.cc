// SPDX-License-Identifier: Apache-2.0
//
// plait/driver.h: each function is a jump through the engine's table, with the caller's pc added.
#include "plait/driver.h"

#include "rt.h"

using plait::runtime::engine;

extern "C" {

void* plait_object_alloc(size_t size) { return engine().object_alloc(size, PLAIT_CALLER_PC); }
void plait_object_free(void* object) { engine().object_free(object, PLAIT_CALLER_PC); }
void plait_request_done(uint64_t id, uint32_t status) { engine().request_done(id, status, PLAIT_CALLER_PC); }
uint64_t plait_io_read(uint32_t offset, uint32_t bytes) { return engine().io_read(offset, bytes, PLAIT_CALLER_PC); }
void plait_io_write(uint32_t offset, uint64_t value, uint32_t bytes) {
  engine().io_write(offset, value, bytes, PLAIT_CALLER_PC);
}
void* plait_dma_alloc(size_t size, size_t alignment) { return engine().dma_alloc(size, alignment, PLAIT_CALLER_PC); }
void plait_report_descriptors(uint32_t queue, uint32_t free) { engine().report_descriptors(queue, free, PLAIT_CALLER_PC); }
void plait_packet_received(const struct plait_part* parts, uint32_t count) {
  engine().packet_received(parts, count, PLAIT_CALLER_PC);
}
void plait_report_kept(const void* object) { engine().report_kept(object, PLAIT_CALLER_PC); }
}
