// SPDX-License-Identifier: Apache-2.0
//
// plait/kernel.h and the reports of plait/target.h: each function is a jump through the engine's table, with the
// caller's pc added.
#include "plait/kernel.h"

#include "plait/target.h"
#include "rt.h"

using plait::runtime::announce;
using plait::runtime::engine;

extern "C" {

plait_irq_flags_t plait_irq_save() { return engine().irq_save(PLAIT_CALLER_PC); }
void plait_irq_restore(plait_irq_flags_t flags) { engine().irq_restore(flags, PLAIT_CALLER_PC); }
void plait_irq_off() { engine().irq_off(PLAIT_CALLER_PC); }
void plait_irq_on() { engine().irq_on(PLAIT_CALLER_PC); }
bool plait_irq_enabled() { return engine().irq_enabled(); }

void plait_preempt_disable() { engine().preempt_disable(PLAIT_CALLER_PC); }
void plait_preempt_enable() { engine().preempt_enable(PLAIT_CALLER_PC); }
bool plait_preemptible() { return engine().preemptible(); }

uint32_t plait_cpu_id() { return engine().cpu_id(PLAIT_CALLER_PC); }
uint32_t plait_cpu_count() { return engine().cpu_count(); }
bool plait_in_handler() { return engine().in_handler(); }

uint32_t plait_local_add32(uint32_t* word, int32_t amount) {
  announce<plait::kRmw>(word, sizeof *word, PLAIT_CALLER_PC);
  return *word += static_cast<uint32_t>(amount);
}
uint64_t plait_local_add64(uint64_t* word, int64_t amount) {
  announce<plait::kRmw>(word, sizeof *word, PLAIT_CALLER_PC);
  return *word += static_cast<uint64_t>(amount);
}

void* plait_model_alloc(size_t size) { return engine().model_alloc(size, PLAIT_CALLER_PC); }
int plait_model_free(void* object) { return engine().model_free(object, PLAIT_CALLER_PC); }

void plait_spin_lock(plait_spinlock_t* lock) { engine().spin_lock(lock, PLAIT_CALLER_PC); }
bool plait_spin_trylock(plait_spinlock_t* lock) { return engine().spin_trylock(lock, PLAIT_CALLER_PC); }
void plait_spin_unlock(plait_spinlock_t* lock) { engine().spin_unlock(lock, PLAIT_CALLER_PC); }

void plait_mutex_lock(plait_mutex_t* mutex) { engine().mutex_lock(mutex, PLAIT_CALLER_PC); }
bool plait_mutex_trylock(plait_mutex_t* mutex) { return engine().mutex_trylock(mutex, PLAIT_CALLER_PC); }
void plait_mutex_unlock(plait_mutex_t* mutex) { engine().mutex_unlock(mutex, PLAIT_CALLER_PC); }

void plait_wait(plait_wait_queue_t* queue) { engine().wait(queue, PLAIT_CALLER_PC); }
void plait_wait_prepare(plait_wait_queue_t* queue) { engine().wait_prepare(queue, PLAIT_CALLER_PC); }
void plait_wait_commit(plait_wait_queue_t* queue) { engine().wait_commit(queue, PLAIT_CALLER_PC); }
void plait_wait_cancel(plait_wait_queue_t* queue) { engine().wait_cancel(queue, PLAIT_CALLER_PC); }
void plait_wait_mutex(plait_wait_queue_t* queue, plait_mutex_t* mutex) {
  engine().wait_mutex(queue, mutex, PLAIT_CALLER_PC);
}
void plait_wake_one(plait_wait_queue_t* queue) { engine().wake(queue, false, PLAIT_CALLER_PC); }
void plait_wake_all(plait_wait_queue_t* queue) { engine().wake(queue, true, PLAIT_CALLER_PC); }

void plait_sem_down(plait_semaphore_t* semaphore) { engine().sem_down(semaphore, PLAIT_CALLER_PC); }
bool plait_sem_trydown(plait_semaphore_t* semaphore) { return engine().sem_trydown(semaphore, PLAIT_CALLER_PC); }
void plait_sem_up(plait_semaphore_t* semaphore) { engine().sem_up(semaphore, PLAIT_CALLER_PC); }

void plait_might_sleep() { engine().might_sleep(PLAIT_CALLER_PC); }
void plait_worker_start(uint32_t cpu, void (*body)(void* argument), void* argument) {
  engine().worker_start(cpu, body, argument, PLAIT_CALLER_PC);
}

size_t plait_page_size() { return engine().page_size(); }
void* plait_page_alloc(size_t count, uint32_t flags) { return engine().page_alloc(count, flags, PLAIT_CALLER_PC); }
void plait_page_free(void* pages, size_t count) { engine().page_free(pages, count, PLAIT_CALLER_PC); }

void plait_relax() { engine().relax(PLAIT_CALLER_PC); }

void plait_bug(const char* text, const char* file, uint32_t line) {
  plait_rt_die(plait::Death::kAssert, text, file, line, PLAIT_CALLER_PC);
}

void plait_report_free(const void* object, uint32_t cpu) {
  engine().report_free(object, cpu, PLAIT_NO_CPU, PLAIT_CALLER_PC);
}
void plait_report_free_of(const void* object, uint32_t cpu, uint32_t home) {
  engine().report_free(object, cpu, home, PLAIT_CALLER_PC);
}
void plait_report_deferred(const void* object) { engine().report_deferred(object, PLAIT_CALLER_PC); }
void plait_report_page(const void* pages) { engine().report_page(pages, PLAIT_CALLER_PC); }
bool plait_is_live(const void* object) { return engine().is_live(object); }

void plait_invariant_failed(const char* text, const char* file, uint32_t line) {
  plait_rt_die(plait::Death::kInvariant, text, file, line, PLAIT_CALLER_PC);
}
}
