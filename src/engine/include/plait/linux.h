/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/linux.h: the device-driver environment. Names of the Linux kernel on plait/kernel.h and plait/driver.h, each with
 * the contract that Linux documents for it, so that the part of a driver that has to do with memory, locks and
 * interrupts compiles unchanged, as C or as C++. What a call may be used for is checked when it is made: a call that may
 * sleep in a handler, or a lock released by somebody else, ends the execution with the caller's line.
 *
 * One driver a file: what is defined here is static.
 */
#ifndef PLAIT_LINUX_H
#define PLAIT_LINUX_H

#include <stdarg.h>
#include <string.h>

#include "plait/driver.h"
#include "plait/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- types, helpers ---------------------------------------------------------------------------------------------- */

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef u16 __le16; /* the simulated machine is little-endian, as virtio's rings are */
typedef u32 __le32;
typedef u64 __le64;
typedef u16 __virtio16;
typedef u32 __virtio32;
typedef u64 __virtio64;
typedef u64 dma_addr_t;
typedef u64 sector_t;
typedef unsigned int gfp_t;

#define cpu_to_le16(x) ((u16)(x))
#define cpu_to_le32(x) ((u32)(x))
#define cpu_to_le64(x) ((u64)(x))
#define le16_to_cpu(x) ((u16)(x))
#define le32_to_cpu(x) ((u32)(x))
#define le64_to_cpu(x) ((u64)(x))

#define EIO 5
#define ENOMEM 12
#define EBUSY 16
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define __maybe_unused __attribute__((unused))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#define BUG_ON(condition) PLAIT_BUG_ON(condition)
#define BUG() PLAIT_BUG_ON(1)
#define WARN_ON(condition) (condition)
#define __PLAIT_STATIC static inline __attribute__((unused))

/* ---- memory order: volatile is a marked access, as KCSAN has it; the barriers are the compiler's ------------------- */

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))
#define barrier() __asm__ volatile("" ::: "memory")
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define mb() smp_mb()
#define rmb() smp_rmb()
#define wmb() smp_wmb()
#define dma_rmb() smp_rmb()
#define dma_wmb() smp_wmb()
#define virt_mb() smp_mb()
#define virt_rmb() smp_rmb()
#define virt_wmb() smp_wmb()
#define smp_load_acquire(pointer) __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)
#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define xchg(pointer, value) __atomic_exchange_n((pointer), (value), __ATOMIC_SEQ_CST)
#define cpu_relax() plait_relax()

__PLAIT_STATIC bool plait_cmpxchg_ptr(void **pointer, void **old, void *value) {
  return __atomic_compare_exchange_n(pointer, old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Counters and bits: whole on every CPU. Those that return something order, the others do not. */
typedef struct {
  int counter;
} atomic_t;
#define ATOMIC_INIT(value) { (value) }
__PLAIT_STATIC int atomic_read(const atomic_t *v) { return __atomic_load_n(&v->counter, __ATOMIC_RELAXED); }
__PLAIT_STATIC void atomic_set(atomic_t *v, int i) { __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED); }
__PLAIT_STATIC void atomic_inc(atomic_t *v) { __atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED); }
__PLAIT_STATIC void atomic_dec(atomic_t *v) { __atomic_fetch_sub(&v->counter, 1, __ATOMIC_RELAXED); }
__PLAIT_STATIC int atomic_inc_return(atomic_t *v) { return __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST); }
__PLAIT_STATIC bool atomic_dec_and_test(atomic_t *v) {
  return __atomic_sub_fetch(&v->counter, 1, __ATOMIC_SEQ_CST) == 0;
}
__PLAIT_STATIC int atomic_cmpxchg(atomic_t *v, int old, int value) {
  __atomic_compare_exchange_n(&v->counter, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return old;
}

#define BITS_PER_LONG 64
__PLAIT_STATIC void set_bit(long nr, unsigned long *word) {
  __atomic_fetch_or(word + nr / BITS_PER_LONG, 1ul << nr % BITS_PER_LONG, __ATOMIC_RELAXED);
}
__PLAIT_STATIC void clear_bit(long nr, unsigned long *word) {
  __atomic_fetch_and(word + nr / BITS_PER_LONG, ~(1ul << nr % BITS_PER_LONG), __ATOMIC_RELAXED);
}
__PLAIT_STATIC bool test_bit(long nr, const unsigned long *word) {
  return (__atomic_load_n(word + nr / BITS_PER_LONG, __ATOMIC_RELAXED) >> nr % BITS_PER_LONG & 1) != 0;
}
__PLAIT_STATIC bool test_and_set_bit(long nr, unsigned long *word) {
  const unsigned long bit = 1ul << nr % BITS_PER_LONG;
  return (__atomic_fetch_or(word + nr / BITS_PER_LONG, bit, __ATOMIC_SEQ_CST) & bit) != 0;
}
__PLAIT_STATIC bool test_and_clear_bit(long nr, unsigned long *word) {
  const unsigned long bit = 1ul << nr % BITS_PER_LONG;
  return (__atomic_fetch_and(word + nr / BITS_PER_LONG, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

/* ---- where am I, preemption, interrupts of this CPU ----------------------------------------------------------------- */

#define smp_processor_id() plait_cpu_id()
#define raw_smp_processor_id() plait_cpu_id()
#define num_online_cpus() plait_cpu_count()
#define NR_CPUS PLAIT_CPUS_MAX
#define preempt_disable() plait_preempt_disable()
#define preempt_enable() plait_preempt_enable()
#define in_interrupt() plait_in_handler()
#define in_irq() plait_in_handler()
#define in_task() (!plait_in_handler())
#define irqs_disabled() (!plait_irq_enabled())
#define might_sleep() plait_might_sleep()
#define local_irq_save(flags) ((flags) = plait_irq_save())
#define local_irq_restore(flags) plait_irq_restore((plait_irq_flags_t)(flags))
#define local_irq_disable() plait_irq_off()
#define local_irq_enable() plait_irq_on()
__PLAIT_STATIC unsigned int get_cpu(void) {
  preempt_disable();
  return smp_processor_id();
}
#define put_cpu() preempt_enable()

/* An element a CPU. this_cpu_ptr is stale after a migration: use it with preemption off. */
#define DEFINE_PER_CPU(type, name) PLAIT_PER_CPU(type, name)
#define per_cpu(name, cpu) (*PLAIT_CPU(name, cpu))
#define per_cpu_ptr(name, cpu) PLAIT_CPU(name, cpu)
#define this_cpu_ptr(name) PLAIT_THIS_CPU(name)

/* ---- spin locks: preemption is off while one is held; irqsave switches interrupts off before the lock is tried ---------- */

typedef struct {
  plait_spinlock_t plait;
} spinlock_t;
typedef spinlock_t raw_spinlock_t;
#define DEFINE_SPINLOCK(name) spinlock_t name = {{0}}
__PLAIT_STATIC void spin_lock_init(spinlock_t *lock) { lock->plait.holder = 0; }
__PLAIT_STATIC void spin_lock(spinlock_t *lock) {
  plait_preempt_disable();
  plait_spin_lock(&lock->plait);
}
__PLAIT_STATIC void spin_unlock(spinlock_t *lock) {
  plait_spin_unlock(&lock->plait);
  plait_preempt_enable();
}
__PLAIT_STATIC bool spin_trylock(spinlock_t *lock) {
  plait_preempt_disable();
  if (plait_spin_trylock(&lock->plait)) return true;
  plait_preempt_enable();
  return false;
}
/* The flags are the caller's, so they nest over different locks. With interrupts off preemption is off as well. */
#define spin_lock_irqsave(lock, flags)   \
  do {                                   \
    (flags) = plait_irq_save();          \
    plait_spin_lock(&(lock)->plait);     \
  } while (0)
#define spin_unlock_irqrestore(lock, flags)            \
  do {                                                 \
    plait_spin_unlock(&(lock)->plait);                 \
    plait_irq_restore((plait_irq_flags_t)(flags));     \
  } while (0)
__PLAIT_STATIC void spin_lock_irq(spinlock_t *lock) {
  plait_irq_off();
  plait_spin_lock(&lock->plait);
}
__PLAIT_STATIC void spin_unlock_irq(spinlock_t *lock) {
  plait_spin_unlock(&lock->plait);
  plait_irq_on();
}

/* ---- mutexes: may sleep, owned by a task ------------------------------------------------------------------------------ */

struct mutex {
  plait_mutex_t plait;
};
#define DEFINE_MUTEX(name) struct mutex name = {{0, 0, 0}}
__PLAIT_STATIC void mutex_init(struct mutex *lock) { memset(lock, 0, sizeof *lock); }
__PLAIT_STATIC void mutex_lock(struct mutex *lock) { plait_mutex_lock(&lock->plait); }
__PLAIT_STATIC void mutex_unlock(struct mutex *lock) { plait_mutex_unlock(&lock->plait); }
__PLAIT_STATIC bool mutex_trylock(struct mutex *lock) { return plait_mutex_trylock(&lock->plait); }

/* ---- memory: from the allocator under test ------------------------------------------------------------------------------ */

#define GFP_NOWAIT 0u
#define GFP_ATOMIC 1u  /* never sleeps: legal everywhere */
#define GFP_KERNEL 2u  /* may sleep: a context failure where that is not allowed */
#define __GFP_ZERO 4u

__PLAIT_STATIC void *kmalloc(size_t size, gfp_t flags) {
  if (flags & GFP_KERNEL) plait_might_sleep();
  void *object = plait_object_alloc(size);
  if (object && (flags & __GFP_ZERO)) memset(object, 0, size);
  return object;
}
__PLAIT_STATIC void *kzalloc(size_t size, gfp_t flags) { return kmalloc(size, flags | __GFP_ZERO); }
__PLAIT_STATIC void *kcalloc(size_t n, size_t size, gfp_t flags) {
  size_t bytes;
  return __builtin_mul_overflow(n, size, &bytes) ? NULL : kzalloc(bytes, flags);
}
/* Legal in a handler with any lock held, on any CPU; of NULL it does nothing. */
__PLAIT_STATIC void kfree(const void *object) { plait_object_free((void *)object); }

/* A pool with a reserve: an element is there for whoever waits until all others came back. */
typedef struct mempool {
  spinlock_t lock;
  size_t size;
  int min_nr;
  int curr_nr;
  void *elements[8];
} mempool_t;

__PLAIT_STATIC int mempool_init_kmalloc_pool(mempool_t *pool, int min_nr, size_t size) {
  memset(pool, 0, sizeof *pool);
  pool->size = size;
  pool->min_nr = min_nr < 8 ? min_nr : 8;
  while (pool->curr_nr < pool->min_nr) {
    void *element = kmalloc(size, GFP_ATOMIC);
    if (!element) return -ENOMEM;
    pool->elements[pool->curr_nr++] = element;
  }
  return 0;
}
/* With GFP_ATOMIC, NULL when the allocator has nothing and the reserve is out. */
__PLAIT_STATIC void *mempool_alloc(mempool_t *pool, gfp_t flags) {
  unsigned long irq;
  void *element = kmalloc(pool->size, flags);
  if (element) return element;
  spin_lock_irqsave(&pool->lock, irq);
  if (pool->curr_nr > 0) element = pool->elements[--pool->curr_nr];
  spin_unlock_irqrestore(&pool->lock, irq);
  return element;
}
__PLAIT_STATIC void mempool_free(void *element, mempool_t *pool) {
  unsigned long irq;
  if (!element) return;
  spin_lock_irqsave(&pool->lock, irq);
  const bool kept = pool->curr_nr < pool->min_nr;
  if (kept) pool->elements[pool->curr_nr++] = element;
  spin_unlock_irqrestore(&pool->lock, irq);
  if (!kept) kfree(element);
}
/* For a driver's check: the reserve is kept on purpose. */
__PLAIT_STATIC void plait_report_mempool(const mempool_t *pool) {
  for (int i = 0; i < pool->curr_nr; ++i) plait_report_kept(pool->elements[i]);
}

/* ---- lists ---------------------------------------------------------------------------------------------------------------- */

struct list_head {
  struct list_head *next, *prev;
};
#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
__PLAIT_STATIC void INIT_LIST_HEAD(struct list_head *list) { list->next = list->prev = list; }
__PLAIT_STATIC void __list_add(struct list_head *entry, struct list_head *prev, struct list_head *next) {
  next->prev = entry;
  entry->next = next;
  entry->prev = prev;
  prev->next = entry;
}
__PLAIT_STATIC void list_add(struct list_head *entry, struct list_head *head) { __list_add(entry, head, head->next); }
__PLAIT_STATIC void list_add_tail(struct list_head *entry, struct list_head *head) { __list_add(entry, head->prev, head); }
__PLAIT_STATIC void __list_del(struct list_head *prev, struct list_head *next) {
  next->prev = prev;
  prev->next = next;
}
__PLAIT_STATIC void list_del(struct list_head *entry) {
  __list_del(entry->prev, entry->next);
  entry->next = entry->prev = NULL;
}
__PLAIT_STATIC void list_del_init(struct list_head *entry) {
  __list_del(entry->prev, entry->next);
  INIT_LIST_HEAD(entry);
}
__PLAIT_STATIC bool list_empty(const struct list_head *head) { return head->next == head; }
__PLAIT_STATIC void list_splice_init(struct list_head *list, struct list_head *head) {
  if (list_empty(list)) return;
  struct list_head *first = list->next, *last = list->prev, *at = head->next;
  first->prev = head;
  head->next = first;
  last->next = at;
  at->prev = last;
  INIT_LIST_HEAD(list);
}
#define list_entry(pointer, type, member) container_of(pointer, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(at, head) for ((at) = (head)->next; (at) != (head); (at) = (at)->next)
#define list_for_each_safe(at, n, head) \
  for ((at) = (head)->next, (n) = (at)->next; (at) != (head); (at) = (n), (n) = (at)->next)
#define list_for_each_entry(at, head, member)                                      \
  for ((at) = list_first_entry(head, __typeof__(*(at)), member); &(at)->member != (head); \
       (at) = list_entry((at)->member.next, __typeof__(*(at)), member))

/* A stack without a lock: anybody adds, one takes all. */
struct llist_node {
  struct llist_node *next;
};
struct llist_head {
  struct llist_node *first;
};
#define LLIST_HEAD(name) struct llist_head name = {NULL}
__PLAIT_STATIC bool llist_add(struct llist_node *node, struct llist_head *head) {
  struct llist_node *first = __atomic_load_n(&head->first, __ATOMIC_RELAXED);
  do {
    node->next = first;
  } while (!__atomic_compare_exchange_n(&head->first, &first, node, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  return first == NULL;
}
__PLAIT_STATIC struct llist_node *llist_del_all(struct llist_head *head) { return xchg(&head->first, (struct llist_node *)NULL); }
__PLAIT_STATIC bool llist_empty(const struct llist_head *head) { return READ_ONCE(head->first) == NULL; }

/* ---- the device's registers: io memory is addressed from 0 ----------------------------------------------------------------- */

#define __iomem
__PLAIT_STATIC u8 ioread8(const void __iomem *at) { return (u8)plait_io_read((u32)(uintptr_t)at, 1); }
__PLAIT_STATIC u16 ioread16(const void __iomem *at) { return (u16)plait_io_read((u32)(uintptr_t)at, 2); }
__PLAIT_STATIC u32 ioread32(const void __iomem *at) { return (u32)plait_io_read((u32)(uintptr_t)at, 4); }
__PLAIT_STATIC void iowrite8(u8 value, void __iomem *at) { plait_io_write((u32)(uintptr_t)at, value, 1); }
__PLAIT_STATIC void iowrite16(u16 value, void __iomem *at) { plait_io_write((u32)(uintptr_t)at, value, 2); }
__PLAIT_STATIC void iowrite32(u32 value, void __iomem *at) { plait_io_write((u32)(uintptr_t)at, value, 4); }
__PLAIT_STATIC void iowrite64(u64 value, void __iomem *at) { plait_io_write((u32)(uintptr_t)at, value, 8); }

#ifdef __cplusplus
}
#endif

#include "plait/linux_deferred.h"
#include "plait/linux_softirq.h"

#endif /* PLAIT_LINUX_H */
