// SPDX-License-Identifier: Apache-2.0
#include "tsan/binding.h"

#include <cstring>

namespace plait {
namespace {

Machine* g_machine = nullptr;
Hot g_hot{};

FailureKind kind_of(Death how) {
  switch (how) {
    case Death::kAbort: return FailureKind::kAbort;
    case Death::kAssert: return FailureKind::kAssertion;
    case Death::kInvariant: return FailureKind::kInvariant;
    case Death::kExit: return FailureKind::kAbort;
    case Death::kStackSmashed: return FailureKind::kStackOverflow;
    case Death::kTerminate: return FailureKind::kException;
    case Death::kLongjmp: return FailureKind::kNonlocalExit;
    case Death::kStackOverflow: return FailureKind::kStackOverflow;
  }
  return FailureKind::kAbort;
}

const char* text_of(Death how) {
  switch (how) {
    case Death::kAbort: return "abort() was called";
    case Death::kAssert: return "an assertion does not hold";
    case Death::kInvariant: return "an invariant does not hold";
    case Death::kExit: return "exit() was called";
    case Death::kStackSmashed: return "a stack frame was overwritten (stack protector)";
    case Death::kTerminate: return "std::terminate was called";
    case Death::kLongjmp: return "longjmp to a frame that is not of this operation";
    case Death::kStackOverflow: break;
  }
  return "";
}

void die(Death how, const char* text, const char* file, uint32_t line, uintptr_t pc) {
  if (how == Death::kStackOverflow) g_machine->stack_overflow(pc);
  Text message = text_of(how);
  if (text) message = message + ": " + text;
  if (file) {
    const char* slash = std::strrchr(file, '/');
    message = message + " (" + (slash ? slash + 1 : file) + ":" + Text::of(line) + ")";
  }
  g_machine->die(kind_of(how), message, pc);
}

}  // namespace

Hot& process_hot() { return g_hot; }

const RuntimeTable& bind_runtime(Machine& machine) {
  g_machine = &machine;
  static const RuntimeTable table = {
      .abi = kRuntimeAbi,
      .hot = &g_hot,
      .access = [](uintptr_t a, size_t n, uint32_t k, uintptr_t pc) { g_machine->access(a, n, k, pc); },
      .order = [](uintptr_t a, size_t n, uint32_t k, uintptr_t pc) { g_machine->order(a, n, k, pc); },
      .fence = [](uint32_t order, uintptr_t pc) { g_machine->fence(order, pc); },
      .irq_save = [](uintptr_t pc) { return g_machine->irq_save(pc); },
      .irq_restore = [](uint32_t flags, uintptr_t pc) { g_machine->irq_restore(flags, pc); },
      .irq_off = [](uintptr_t pc) { g_machine->irq_set(false, pc); },
      .irq_on = [](uintptr_t pc) { g_machine->irq_set(true, pc); },
      .irq_enabled = [] { return g_machine->irq_enabled(); },
      .preempt_disable = [](uintptr_t pc) { g_machine->preempt_disable(pc); },
      .preempt_enable = [](uintptr_t pc) { g_machine->preempt_enable(pc); },
      .preemptible = [] { return g_machine->preemptible(); },
      .cpu_id = [](uintptr_t pc) { return g_machine->cpu_id(pc); },
      .cpu_count = [] { return g_machine->cpu_count(); },
      .in_handler = [] { return g_machine->in_handler(); },
      .spin_lock = [](plait_spinlock* lock, uintptr_t pc) { g_machine->spin_lock(lock, pc); },
      .spin_trylock = [](plait_spinlock* lock, uintptr_t pc) { return g_machine->spin_trylock(lock, pc); },
      .spin_unlock = [](plait_spinlock* lock, uintptr_t pc) { g_machine->spin_unlock(lock, pc); },
      .mutex_lock = [](plait_mutex* mutex, uintptr_t pc) { g_machine->mutex_lock(mutex, pc); },
      .mutex_trylock = [](plait_mutex* mutex, uintptr_t pc) { return g_machine->mutex_trylock(mutex, pc); },
      .mutex_unlock = [](plait_mutex* mutex, uintptr_t pc) { g_machine->mutex_unlock(mutex, pc); },
      .wait = [](plait_wait_queue* queue, uintptr_t pc) { g_machine->wait(queue, pc); },
      .wait_prepare = [](plait_wait_queue* queue, uintptr_t pc) { g_machine->wait_prepare(queue, pc); },
      .wait_commit = [](plait_wait_queue* queue, uintptr_t pc) { g_machine->wait_commit(queue, pc); },
      .wait_cancel = [](plait_wait_queue* queue, uintptr_t pc) { g_machine->wait_cancel(queue, pc); },
      .wait_mutex = [](plait_wait_queue* queue, plait_mutex* mutex,
                       uintptr_t pc) { g_machine->wait_mutex(queue, mutex, pc); },
      .wake = [](plait_wait_queue* queue, bool all, uintptr_t pc) { g_machine->wake(queue, all, pc); },
      .sem_down = [](plait_semaphore* semaphore, uintptr_t pc) { g_machine->sem_down(semaphore, pc); },
      .sem_trydown = [](plait_semaphore* semaphore, uintptr_t pc) { return g_machine->sem_trydown(semaphore, pc); },
      .sem_up = [](plait_semaphore* semaphore, uintptr_t pc) { g_machine->sem_up(semaphore, pc); },
      .might_sleep = [](uintptr_t pc) { g_machine->might_sleep(pc); },
      .worker_start = [](uint32_t cpu, void (*body)(void*), void* argument,
                         uintptr_t pc) { g_machine->worker_start(cpu, body, argument, pc); },
      .page_size = [] { return g_machine->page_size(); },
      .page_alloc = [](size_t count, uint32_t flags, uintptr_t pc) { return g_machine->page_alloc(count, flags, pc); },
      .page_free = [](void* pages, size_t count, uintptr_t pc) { g_machine->page_free(pages, count, pc); },
      .relax = [](uintptr_t pc) { g_machine->relax(pc); },
      .report_free = [](const void* object, uint32_t cpu, uint32_t home,
                        uintptr_t pc) { g_machine->report_free(object, cpu, home, pc); },
      .report_deferred = [](const void* object, uintptr_t pc) { g_machine->report_deferred(object, pc); },
      .report_page = [](const void* pages, uintptr_t pc) { g_machine->report_page(pages, pc); },
      .is_live = [](const void* object) { return g_machine->is_live(object); },
      .heap_alloc = [](size_t size, size_t align, uintptr_t pc) { return g_machine->heap_alloc(size, align, pc); },
      .heap_free = [](void* block, uintptr_t pc) { g_machine->heap_free(block, pc); },
      .heap_size = [](const void* block) { return g_machine->heap_size(block); },
      .die = die,
      .setjmp_note = [](const void* buffer, uintptr_t frame) { g_machine->setjmp_note(buffer, frame); },
      .longjmp_ok = [](const void* buffer) { return g_machine->longjmp_ok(buffer); },
      .model_alloc = [](size_t size, uintptr_t pc) { return g_machine->model_alloc(size, pc); },
      .model_free = [](void* object, uintptr_t pc) { return g_machine->model_free(object, pc); },
      .throw_note = [](uintptr_t pc) { g_machine->throw_note(pc); },
      .object_alloc = [](size_t size, uintptr_t pc) { return g_machine->io().alloc(size, pc); },
      .object_free = [](void* object, uintptr_t pc) { g_machine->io().free(object, pc); },
      .request_done = [](uint64_t id, uint32_t status, uintptr_t pc) { g_machine->io().done(id, status, pc); },
      .io_read = [](uint32_t offset, uint32_t bytes, uintptr_t pc) { return g_machine->io().read(offset, bytes, pc); },
      .io_write = [](uint32_t offset, uint64_t value, uint32_t bytes,
                     uintptr_t pc) { g_machine->io().write(offset, value, bytes, pc); },
      .dma_alloc = [](size_t size, size_t alignment, uintptr_t pc) { return g_machine->io().dma_alloc(size, alignment, pc); },
      .report_descriptors = [](uint32_t queue, uint32_t free, uintptr_t pc) { g_machine->io().report_descriptors(queue, free, pc); },
      .report_kept = [](const void* object, uintptr_t pc) { g_machine->io().report_kept(object, pc); },
      .packet_received = [](const plait_part* parts, uint32_t count,
                            uintptr_t pc) { g_machine->io().received({parts, count}, pc); },
  };
  return table;
}

TargetImage image_of(const NativeTarget& target) {
  TargetImage image;
  image.declaration = &target.declaration();
  image.driver = target.driver();
  image.load_base = target.load_base();
  image.load_size = target.load_size();
  image.code = target.code();
  image.data = target.data();
  image.constants = target.constants();
  image.tls = target.tls();
  image.tls_image = target.tls_image();
  return image;
}

}  // namespace plait
