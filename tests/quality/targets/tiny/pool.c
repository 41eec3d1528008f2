/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs so small that all their executions can be listed. The size of an allocation says which steps to take; there
 * is never an object, which is a refusal, and no page was asked for, so that is legal.
 */
#include "plait/kernel.h"
#include "plait/target.h"

static uint64_t x, y, flag;
static uint64_t of_cpu[PLAIT_CPUS_MAX];
static plait_spinlock_t lock, other;
static plait_mutex_t mutex;
static plait_wait_queue_t queue;

static void add(uint64_t *word) { __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED); }

static void *tiny_alloc(size_t what) {
  plait_irq_flags_t flags;
  switch (what) {
    case 1: add(&x); break;
    case 2: __atomic_fetch_add(&x, 1, __ATOMIC_RELAXED); break;
    case 3: __atomic_store_n(&y, 1, __ATOMIC_RELAXED); break;
    case 4: (void)__atomic_load_n(&y, __ATOMIC_RELAXED); break;
    case 5: plait_spin_lock(&lock), add(&x), plait_spin_unlock(&lock); break;
    case 6: flags = plait_irq_save(), add(&x), plait_irq_restore(flags); break;
    case 7: plait_preempt_disable(), add(&x), plait_preempt_enable(); break;
    case 8: add(&of_cpu[plait_cpu_id()]); break;
    case 9: plait_mutex_lock(&mutex), add(&x), plait_mutex_unlock(&mutex); break;
    case 10: while (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) == 0) plait_relax(); break;
    case 11: __atomic_store_n(&flag, 1, __ATOMIC_RELEASE); break;
    case 12:
      plait_wait_prepare(&queue);
      if (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) == 0) plait_wait_commit(&queue);
      else plait_wait_cancel(&queue);
      break;
    case 13: __atomic_store_n(&flag, 1, __ATOMIC_RELEASE), plait_wake_all(&queue); break;
    case 14: plait_spin_lock(&lock), plait_spin_lock(&other), plait_spin_unlock(&other), plait_spin_unlock(&lock); break;
    case 15: plait_spin_lock(&other), plait_spin_lock(&lock), plait_spin_unlock(&lock), plait_spin_unlock(&other); break;
    case 16: ++x; break; /* nothing orders it */
    case 17:
      flags = plait_irq_save();
      plait_spin_lock(&lock), add(&x), plait_spin_unlock(&lock);
      plait_irq_restore(flags);
      break;
    case 19: plait_irq_on(), add(&x), plait_irq_off(); break; /* in a handler, which lets others in */
    case 18: if (plait_spin_trylock(&lock)) add(&x), plait_spin_unlock(&lock); break;
    default: break;
  }
  return NULL;
}

static int tiny_free(void *object) {
  (void)object;
  return 0;
}

PLAIT_TARGET(.alloc = tiny_alloc, .free = tiny_free, .size_max = 64,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
