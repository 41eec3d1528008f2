// SPDX-License-Identifier: Apache-2.0
//
// The sources that runtime_test.cc compiles as targets: one function for each way into the runtime.
#pragma once

// Compiled like every target. API functions are found by name.
constexpr const char* kAccessSource = R"(
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "plait/kernel.h"
#include "plait/target.h"
#define API __attribute__((visibility("default")))

#define WIDTH(bits)                                                                       \
  API void plain##bits##_increment(uint##bits##_t *p) { ++*p; }                           \
  API void volatile##bits##_increment(volatile uint##bits##_t *p) { *p = (uint##bits##_t)(*p + 1); }
WIDTH(8) WIDTH(16) WIDTH(32) WIDTH(64)

struct __attribute__((packed)) packed { char a; uint32_t b; };
API void packed_increment(struct packed *p) { ++p->b; }
struct big { long words[8]; };
API void struct_copy(struct big *to, struct big *from) { *to = *from; }
static void __attribute__((noinline)) touch(long *p) { for (int i = 0; i < 8; ++i) p[i] += i; }
API void local_work(void) {
  struct big a = {{0}}, b;
  touch(a.words);
  memcpy(&b, &a, sizeof b);
  touch(b.words);
}

API void *copy(void *to, const void *from, size_t n) { return memcpy(to, from, n); }
API void *move(void *to, const void *from, size_t n) { return memmove(to, from, n); }
API void *builtin_copy(void *to, const void *from, size_t n) { return __builtin_memcpy(to, from, n); }
API void *copy_chk(void *to, const void *from, size_t n) {
  return __builtin___memcpy_chk(to, from, n, n + (n >> 40));
}
API void *move_chk(void *to, const void *from, size_t n) {
  return __builtin___memmove_chk(to, from, n, n + (n >> 40));
}
API void *mem_p_copy(void *to, const void *from, size_t n) { return mempcpy(to, from, n); }
API void *fill(void *to, int c, size_t n) { return memset(to, c, n); }
API void *builtin_fill(void *to, int c, size_t n) { return __builtin_memset(to, c, n); }
API void *fill_chk(void *to, int c, size_t n) { return __builtin___memset_chk(to, c, n, n + (n >> 40)); }
API void constant_fill(char *p) { memset(p, 0, 64); }
API void constant_copy(char *to, char *from) { memcpy(to, from, 24); }

#define FETCH(T, bits, op) \
  API T atomic##bits##_fetch_##op(T *p, T v) { return __atomic_fetch_##op(p, v, __ATOMIC_ACQ_REL); }
#define SWAPS(T, bits)                                                                             \
  API T atomic##bits##_load(T *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }                 \
  API void atomic##bits##_store(T *p, T v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }           \
  API T atomic##bits##_exchange(T *p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); } \
  API int atomic##bits##_strong(T *p, T *e, T v) {                                                 \
    return __atomic_compare_exchange_n(p, e, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);            \
  }                                                                                                \
  API int atomic##bits##_weak(T *p, T *e, T v) {                                                   \
    return __atomic_compare_exchange_n(p, e, v, 1, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);            \
  }
#define ATOMIC(T, bits) SWAPS(T, bits) FETCH(T, bits, add) FETCH(T, bits, sub) FETCH(T, bits, and)  \
  FETCH(T, bits, or) FETCH(T, bits, xor) FETCH(T, bits, nand)
ATOMIC(uint8_t, 8) ATOMIC(uint16_t, 16) ATOMIC(uint32_t, 32) ATOMIC(uint64_t, 64)
typedef unsigned __int128 uint128;
SWAPS(uint128, 128)
struct odd { char bytes[24]; };
API void odd_load(struct odd *p, struct odd *v) { __atomic_load(p, v, __ATOMIC_ACQUIRE); }
API void odd_store(struct odd *p, struct odd *v) { __atomic_store(p, v, __ATOMIC_RELEASE); }
API void odd_exchange(struct odd *p, struct odd *v, struct odd *r) { __atomic_exchange(p, v, r, __ATOMIC_ACQ_REL); }
API int odd_strong(struct odd *p, struct odd *e, struct odd *v) {
  return __atomic_compare_exchange(p, e, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
API void fences(void) { __atomic_thread_fence(__ATOMIC_RELEASE); __atomic_signal_fence(__ATOMIC_SEQ_CST); }
API uint32_t local_add32(uint32_t *p) { return plait_local_add32(p, -3); }
API uint64_t local_add64(uint64_t *p) { return plait_local_add64(p, -3); }

API void heap_work(void **out) {
  char *a = malloc(10), *b = calloc(3, 5), *c;
  for (int i = 0; i < 15; ++i) if (b[i]) abort();
  a[0] = 42;
  a = realloc(a, 100);
  if (a[0] != 42) abort();
  c = aligned_alloc(64, 64);
  if (posix_memalign(out, 128, 5) != 0 || posix_memalign(out + 1, 3, 5) != EINVAL) abort();
  void *volatile none = calloc((size_t)-1, 2);  // volatile: or clang takes it for granted that this succeeds
  if (none != NULL || reallocarray(NULL, (size_t)-1, 2) != NULL) abort();
  free(memalign(32, 8)); free(*out); free(a); free(b); free(c); free(NULL);
}
API int set_errno(int v) { errno = v; return errno; }
API void *plain_malloc(size_t n) { return malloc(n); }
API void die_abort(void) { abort(); }
API void die_exit(void) { exit(3); }
API void die__exit(void) { _exit(3); }
API void die_quick_exit(void) { quick_exit(3); }
API void die_assert(int x) { assert(x == 5); }
API void die_bug(int x) { PLAIT_ASSERT(x == 6); }
API void die_invariant(int x) { PLAIT_INVARIANT(x == 7); }
API void die_smash(void) {
  extern void __stack_chk_fail(void);
  __stack_chk_fail();
}

static jmp_buf here;
static sigjmp_buf there;
static void __attribute__((noinline)) leap(int v) { if (v & 1) longjmp(here, v); else siglongjmp(there, v); }
API int jump(int v) {
  volatile int local = v;
  int r = (v & 1) ? setjmp(here) : sigsetjmp(there, 1);
  if (r == 0) leap(v);
  return r + local;
}

API int kernel_calls(void) {
  static plait_spinlock_t spin; static plait_mutex_t mutex;
  static plait_wait_queue_t queue; static plait_semaphore_t sem;
  int ok = plait_irq_save() == 7;
  plait_irq_restore(9); plait_irq_off(); plait_irq_on(); ok += plait_irq_enabled();
  plait_preempt_disable(); plait_preempt_enable(); ok += plait_preemptible();
  ok += plait_cpu_id() == 3; ok += plait_cpu_count() == 4; ok += plait_in_handler();
  plait_spin_lock(&spin); ok += plait_spin_trylock(&spin); plait_spin_unlock(&spin);
  plait_mutex_lock(&mutex); ok += plait_mutex_trylock(&mutex); plait_mutex_unlock(&mutex);
  plait_wait(&queue); plait_wait_prepare(&queue); plait_wait_commit(&queue); plait_wait_cancel(&queue);
  plait_wait_mutex(&queue, &mutex); plait_wake_one(&queue); plait_wake_all(&queue);
  plait_sem_down(&sem); ok += plait_sem_trydown(&sem); plait_sem_up(&sem);
  plait_might_sleep(); plait_worker_start(2, 0, 0); ok += plait_page_size() == 512;
  plait_page_free(plait_page_alloc(3, PLAIT_MAY_SLEEP), 3); plait_relax();
  plait_report_free(&spin, 1); plait_report_free_of(&spin, 1, 2); plait_report_deferred(&spin); plait_report_page(&spin); ok += plait_is_live(&spin);
  return ok;
}

API void sweep_reads(volatile long *sum, long *p, long n) {
  long s = 0;
  for (long i = 0; i < n; ++i) s += p[i & 63];
  *sum = s;
}
API void sweep_writes(long *p, long n) { for (long i = 0; i < n; ++i) p[i & 63] = i; }
)";

// Compiled without -fsanitize=thread: calls every plain entry point by name, emitted by today's compilers or not.
constexpr const char* kEntriesSource = R"(
#include <stddef.h>
struct entry { const char *name; void (*call)(void *); size_t size; unsigned kind; };
#define NAMES(X, n) X(read##n, n, 1) X(write##n, n, 2) X(read_write##n, n, 3) X(unaligned_read##n, n, 1)      \
  X(unaligned_write##n, n, 2) X(unaligned_read_write##n, n, 3) X(volatile_read##n, n, 5)                      \
  X(volatile_write##n, n, 6) X(volatile_read_write##n, n, 7) X(unaligned_volatile_read##n, n, 5)              \
  X(unaligned_volatile_write##n, n, 6) X(unaligned_volatile_read_write##n, n, 7)
#define ALL(X) NAMES(X, 1) NAMES(X, 2) NAMES(X, 4) NAMES(X, 8) NAMES(X, 16) X(vptr_read, 8, 1)
#define DECLARE(name, size, kind) void __tsan_##name(void *);
#define WITH_PC(n) void __tsan_read##n##_pc(void *, void *); void __tsan_write##n##_pc(void *, void *);  \
  static void r##n(void *p) { __tsan_read##n##_pc(p, 0); } static void w##n(void *p) { __tsan_write##n##_pc(p, 0); }
ALL(DECLARE) WITH_PC(1) WITH_PC(2) WITH_PC(4) WITH_PC(8) WITH_PC(16)
void __tsan_vptr_update(void *, void *);
static void vptr_update(void *p) { __tsan_vptr_update(p, 0); }
#define ROW(name, size, kind) {"__tsan_" #name, __tsan_##name, size, kind},
#define PC_ROWS(n) {"read_pc", r##n, n, 1}, {"write_pc", w##n, n, 2},
__attribute__((visibility("default"))) const struct entry entries[] = {
  ALL(ROW) PC_ROWS(1) PC_ROWS(2) PC_ROWS(4) PC_ROWS(8) PC_ROWS(16) {"vptr_update", vptr_update, 8, 2}, {0, 0, 0, 0}};
void __tsan_read_range(void *, size_t); void __tsan_write_range(void *, size_t);
void __tsan_read_range_pc(void *, size_t, void *); void __tsan_write_range_pc(void *, size_t, void *);
void __tsan_func_entry(void *); void __tsan_func_exit(void); void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
__attribute__((visibility("default"))) void enter_ranges(void *p, size_t n) {
  __tsan_func_entry(0); __tsan_ignore_thread_begin();
  __tsan_read_range(p, n); __tsan_write_range(p, n); __tsan_read_range(p, 0);
  __tsan_read_range_pc(p, n, (void *)42); __tsan_write_range_pc(p, n, (void *)42);
  __tsan_ignore_thread_end(); __tsan_func_exit();
}
)";

constexpr const char* kCppSource = R"(
#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <queue>
#include <stdexcept>
#include <vector>
#define API extern "C" __attribute__((visibility("default")))

std::vector<int> early(100, 7);  // allocated by a static constructor
API int early_sum() { int s = 0; for (int x : early) s += x; return s; }
API void early_free() { early.clear(); early.shrink_to_fit(); early.resize(3); early = {}; early.shrink_to_fit(); }

API int queue_work() {
  std::queue<int> q;
  for (int i = 0; i < 1000; ++i) q.push(i);
  int s = 0;
  while (!q.empty()) { s += q.front(); q.pop(); }
  return s;
}

struct alignas(64) Wide { char c[64]; };
template <typename T> T *keep(T *p) { __asm__ volatile("" : "+r"(p)); return p; }
API int new_work() {
  int *a = keep(new int(1)), *b = keep(new int[5]);
  int *c = keep(new (std::nothrow) int(2)), *d = keep(new (std::nothrow) int[5]);
  Wide *e = keep(new Wide), *f = keep(new Wide[2]);
  Wide *g = keep(new (std::nothrow) Wide), *h = keep(new (std::nothrow) Wide[2]);
  int n = 0;
  for (const void *p : std::initializer_list<const void *>{a, b, c, d, e, f, g, h}) n += p != nullptr;
  ::operator delete(a); delete[] b; ::operator delete(c, std::nothrow); ::operator delete[](d, std::nothrow);
  delete e; delete[] f; ::operator delete(g, std::align_val_t(64), std::nothrow);
  ::operator delete[](h, std::align_val_t(64));
  delete keep(new long(4));
  return n;
}
API int bad_alloc_caught() {
  try { keep(new int(1)); } catch (const std::bad_alloc &) { return 1; }
  return 0;
}
API int nothrow_null() { return keep(new (std::nothrow) int(1)) == nullptr; }

struct Mine : std::exception {
  int code;
  explicit Mine(int c) : code(c) {}
  const char *what() const noexcept override { return "mine"; }
};
static void __attribute__((noinline)) thrower(int c) { throw Mine(c); }
API int throw_caught(int c) {
  try { thrower(c); } catch (const Mine &m) { return m.code + (int)std::strlen(m.what()); }
  return 0;
}
API void escape(int c) { thrower(c); }
API void die_terminate() { std::terminate(); }

struct Base {
  Base() { call(); }
  void __attribute__((noinline)) call() { hook(); }
  virtual void hook() = 0;
};
struct Derived : Base { void hook() override {} };
API void die_pure() { Derived d; (void)d; }

struct Made { int value; Made(int v) : value(v) {} ~Made() { value = 0; } };
API int static_object(int v) { static Made made(v); return made.value; }
)";
