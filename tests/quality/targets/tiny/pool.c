/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs so small that all their executions can be listed. The size of an allocation says which steps to take. Most
 * come without an object, which is a refusal, and where no page was asked for that is legal.
 */
#include "plait/kernel.h"
#include "plait/target.h"

static uint64_t x, y, flag;
static uint64_t of_cpu[PLAIT_CPUS_MAX];
static plait_spinlock_t lock, other;
static plait_mutex_t mutex, outer;
static plait_wait_queue_t queue;
static plait_semaphore_t semaphore;
static uint64_t objects[4][8], taken, reused[8], busy;

static void add(uint64_t *word) { __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED); }

/* A condition variable, whose mutex is not the one that was locked last. */
static void await_flag(void) {
  plait_mutex_lock(&outer);
  plait_mutex_lock(&mutex), plait_mutex_unlock(&mutex);
  if (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) == 0) plait_wait_mutex(&queue, &outer);
  plait_mutex_unlock(&outer);
}

static void *with_object(size_t what) {
  uint64_t number;
  switch (what) {
    case 40: /* as many as there are */
      number = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
      return number < 4 ? objects[number] : NULL;
    case 41: /* one, again and again */ return __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) ? NULL : reused;
    case 42: /* one, to two at once */
      if (__atomic_load_n(&busy, __ATOMIC_ACQUIRE)) return NULL;
      __atomic_store_n(&busy, 1, __ATOMIC_RELAXED);
      return reused;
    case 43: return plait_page_alloc(1, 0);
    default: return NULL;
  }
}

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
    case 20: if (plait_mutex_trylock(&mutex)) add(&x), plait_mutex_unlock(&mutex); break;
    case 21: plait_sem_down(&semaphore), add(&x); break;
    case 22: plait_sem_up(&semaphore); break;
    case 23: if (plait_sem_trydown(&semaphore)) add(&x); break;
    case 24: if (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) == 0) plait_wait(&queue); break; /* may miss the wake */
    case 25: __atomic_store_n(&flag, 1, __ATOMIC_RELEASE), plait_wake_one(&queue); break;
    case 26: await_flag(); break;
    case 27: plait_mutex_lock(&outer), __atomic_store_n(&flag, 1, __ATOMIC_RELEASE), plait_mutex_unlock(&outer); break;
    case 28: plait_wake_all(&queue); break;
    case 29: plait_local_add64(&of_cpu[plait_cpu_id()], 1); break;
    case 30: plait_mutex_lock(&outer), add(&x), plait_mutex_unlock(&outer); break;
    default: return with_object(what);
  }
  return NULL;
}

static int tiny_free(void *object) {
  const uint64_t *word = object;
  if (word == reused) __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
  else if (word >= objects[0] && word < objects[4]) __atomic_fetch_add(&y, 1, __ATOMIC_RELAXED);
  else plait_page_free(object, 1);
  return 0;
}

PLAIT_TARGET(.alloc = tiny_alloc, .free = tiny_free, .size_max = 64,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
