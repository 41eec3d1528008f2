// SPDX-License-Identifier: Apache-2.0
//
// The only way from a target into the engine: a table of C functions handed over by plait_bind. A target's shared
// object therefore has no undefined Plait symbols, can be loaded in several copies, and does not care where the
// engine was linked. `pc` is always the return address in the target's own code (look up pc - 1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/hot.h"

struct plait_spinlock;
struct plait_mutex;
struct plait_wait_queue;
struct plait_semaphore;
struct plait_part;

namespace plait {

constexpr uint32_t kRuntimeAbi = 7;

// Ways in which target code ends an execution by itself.
enum class Death : uint32_t {
  kAbort,          // abort()
  kAssert,         // assert(), PLAIT_ASSERT, BUG_ON
  kInvariant,      // PLAIT_INVARIANT
  kExit,           // exit, _exit, quick_exit
  kStackSmashed,   // __stack_chk_fail
  kTerminate,      // std::terminate, pure virtual call
  kLongjmp,        // longjmp to a frame that is not of the running operation
  kStackOverflow,  // the stack is used up, but for what the engine needs
};

struct RuntimeTable {
  uint32_t abi;
  Hot* hot;

  // Announces an access that the fast path could not take, waits for its turn, checks it, logs it for undo. On
  // return the caller performs it, whole. Any size; any alignment.
  void (*access)(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  // For an access that the fast path has granted: its order could not be settled there.
  void (*order)(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void (*fence)(uint32_t order, uintptr_t pc);

  uint32_t (*irq_save)(uintptr_t pc);
  void (*irq_restore)(uint32_t flags, uintptr_t pc);
  void (*irq_off)(uintptr_t pc);
  void (*irq_on)(uintptr_t pc);
  bool (*irq_enabled)();
  void (*preempt_disable)(uintptr_t pc);
  void (*preempt_enable)(uintptr_t pc);
  bool (*preemptible)();
  uint32_t (*cpu_id)(uintptr_t pc);
  uint32_t (*cpu_count)();
  bool (*in_handler)();

  void (*spin_lock)(plait_spinlock* lock, uintptr_t pc);
  bool (*spin_trylock)(plait_spinlock* lock, uintptr_t pc);
  void (*spin_unlock)(plait_spinlock* lock, uintptr_t pc);
  void (*mutex_lock)(plait_mutex* mutex, uintptr_t pc);
  bool (*mutex_trylock)(plait_mutex* mutex, uintptr_t pc);
  void (*mutex_unlock)(plait_mutex* mutex, uintptr_t pc);
  void (*wait)(plait_wait_queue* queue, uintptr_t pc);
  void (*wait_prepare)(plait_wait_queue* queue, uintptr_t pc);
  void (*wait_commit)(plait_wait_queue* queue, uintptr_t pc);
  void (*wait_cancel)(plait_wait_queue* queue, uintptr_t pc);
  void (*wait_mutex)(plait_wait_queue* queue, plait_mutex* mutex, uintptr_t pc);
  void (*wake)(plait_wait_queue* queue, bool all, uintptr_t pc);
  void (*sem_down)(plait_semaphore* semaphore, uintptr_t pc);
  bool (*sem_trydown)(plait_semaphore* semaphore, uintptr_t pc);
  void (*sem_up)(plait_semaphore* semaphore, uintptr_t pc);
  void (*might_sleep)(uintptr_t pc);
  void (*worker_start)(uint32_t cpu, void (*body)(void*), void* argument, uintptr_t pc);
  size_t (*page_size)();
  void* (*page_alloc)(size_t count, uint32_t flags, uintptr_t pc);
  void (*page_free)(void* pages, size_t count, uintptr_t pc);
  void (*relax)(uintptr_t pc);

  void (*report_free)(const void* object, uint32_t cpu, uint32_t home, uintptr_t pc);
  void (*report_deferred)(const void* object, uintptr_t pc);
  void (*report_page)(const void* pages, uintptr_t pc);
  bool (*is_live)(const void* object);

  // malloc and operator new inside the target, as it declares (private heap or itself). NULL when out of memory.
  void* (*heap_alloc)(size_t size, size_t alignment, uintptr_t pc);
  void (*heap_free)(void* block, uintptr_t pc);
  // Bytes usable in a block of heap_alloc; for realloc.
  size_t (*heap_size)(const void* block);

  // Never returns: the execution is over and the calling fiber is abandoned. `text` and `file` may be null.
  void (*die)(Death how, const char* text, const char* file, uint32_t line, uintptr_t pc);

  // setjmp was called with this buffer by the frame at `frame`; longjmp asks whether it may jump there (false: not in
  // this operation of this context; the caller then dies with Death::kLongjmp).
  void (*setjmp_note)(const void* buffer, uintptr_t frame);
  bool (*longjmp_ok)(const void* buffer);
  // The Python model beneath this code.
  void* (*model_alloc)(size_t size, uintptr_t pc);
  int (*model_free)(void* object, uintptr_t pc);
  // pc of the last throw, so that an escaping exception has a location.
  void (*throw_note)(uintptr_t pc);

  // plait/driver.h
  void* (*object_alloc)(size_t size, uintptr_t pc);
  void (*object_free)(void* object, uintptr_t pc);
  void (*request_done)(uint64_t id, uint32_t status, uintptr_t pc);
  uint64_t (*io_read)(uint32_t offset, uint32_t bytes, uintptr_t pc);
  void (*io_write)(uint32_t offset, uint64_t value, uint32_t bytes, uintptr_t pc);
  void* (*dma_alloc)(size_t size, size_t alignment, uintptr_t pc);
  void (*report_descriptors)(uint32_t queue, uint32_t free, uintptr_t pc);
  void (*report_kept)(const void* object, uintptr_t pc);
  void (*packet_received)(const plait_part* parts, uint32_t count, uintptr_t pc);
};

}  // namespace plait

// Exported by every target; called once after dlopen.
extern "C" void plait_bind(const plait::RuntimeTable* table);
