/* SPDX-License-Identifier: Apache-2.0
 *
 * plait/target.h: declares an allocator to Plait. One declaration a target, in any of its source files:
 *
 *     static void *my_alloc(size_t size) { ... }
 *     static int   my_free(void *object) { ...; return 0; }
 *
 *     PLAIT_TARGET(
 *       .alloc = my_alloc,
 *       .free = my_free,
 *       .size_min = 8, .size_max = 256,
 *       .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER,
 *     );
 *
 * Only alloc, free and size_max are required; every other field may be left out (zero) and then means what its
 * comment says. Fields must be named in the order below (C++20 asks for that; C does not mind).
 * Plait calls these functions from tasks and interrupt handlers of generated scenarios. The code runs as it is,
 * compiled with access announcements; see plait/kernel.h for what it may call.
 */
#ifndef PLAIT_TARGET_H
#define PLAIT_TARGET_H

#include "plait/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLAIT_TARGET_ABI 1u

/* Contexts in which alloc and free may be entered. An environment that needs one you do not list is refused. */
#define PLAIT_IN_TASK 1u     /* a task with interrupts and preemption on */
#define PLAIT_IN_HANDLER 2u  /* an interrupt handler */

/* Where malloc and operator new *inside* the target go. */
enum plait_heap {
  PLAIT_HEAP_PRIVATE = 0, /* a private heap: simulated memory, checked like every other, not under test */
  PLAIT_HEAP_SELF = 1,    /* the target's own alloc and free */
};

/* A number that the scenario chooses. Plait writes *value before init runs; nobody else may write it.
 * The small preset draws from min..max; the real preset uses `real`. Without a scenario the value is `standard`. */
struct plait_knob {
  const char *name; /* letters, digits and _ */
  uint64_t *value;
  uint64_t min, max; /* small-scope range, both included */
  uint64_t standard; /* the small preset's default */
  uint64_t real;     /* the value in production */
  const char *help;  /* one line */
};

/* Names for reports. A page field names bytes at an offset from the start of each page the target holds; a state
 * name names a global: `count` elements of `stride` bytes are shown as name[i]. */
struct plait_page_field {
  const char *name;
  uint32_t offset; /* bytes */
  uint32_t size;   /* bytes */
};
struct plait_state_name {
  const char *name;
  const void *address;
  uint32_t stride; /* bytes of one element */
  uint32_t count;  /* elements; 0 means 1 */
};
#define PLAIT_PAGE_FIELD(type, field) \
  { #field, (uint32_t)offsetof(type, field), (uint32_t)sizeof(((type *)0)->field) }

struct plait_target {
  uint32_t abi; /* filled in by PLAIT_TARGET */

  /* Brings the target to its first state. Runs alone, before any task, with the knobs set. Pages taken here count as
   * the target's own. May start workers. NULL: the zeroed globals are the first state. */
  void (*init)(void);
  /* An object of at least `size` bytes, or NULL when memory is out. size_min <= size <= size_max. */
  void *(*alloc)(size_t size);
  /* Takes the object back. Returns 0, or non-zero when it refuses the pointer (see `refuses`). */
  int (*free)(void *object);
  /* Called at quiescence, alone: check your invariants with PLAIT_INVARIANT and report every object and page you
   * hold with plait_report_*. NULL: conservation is not checked. Must not change anything. */
  void (*check)(void);
  /* Called after every visible operation when not NULL: an invariant that holds at every single step, true or
   * false. Must only read. Makes runs several times slower. */
  bool (*step_invariant)(void);

  size_t size_min, size_max; /* bytes; 0 means 1 for size_min */
  /* Size classes, ascending, zero-terminated: the generator prefers sizes around them. NULL: powers of two. */
  const size_t *size_classes;
  size_t alignment;   /* bytes, of every object; 0 means 8 */
  uint32_t contexts;  /* PLAIT_IN_*; 0 means PLAIT_IN_TASK */
  uint32_t cpus_max;  /* 0 means PLAIT_CPUS_MAX */
  uint32_t refuses;   /* PLAIT_REFUSES_*: misuse that free detects and answers with non-zero */
  enum plait_heap heap;
  /* Bound on objects freed by the caller and not yet free at quiescence. 0: none declared; else the bound plus 1. */
  uint64_t deferred_bound_plus_1;
  /* Bytes in a page: small preset and production. 0 means 512 and 4096. Powers of two, 256 to 65536. */
  size_t page_size_small, page_size_real;

  const struct plait_knob *knobs;              /* ends with a NULL name; NULL: none */
  const struct plait_page_field *page_fields;  /* ends with a NULL name; NULL: none */
  const struct plait_state_name *state_names;  /* ends with a NULL name; NULL: none */
};

#define PLAIT_REFUSES_DOUBLE_FREE 1u
#define PLAIT_REFUSES_FOREIGN 2u  /* a pointer into a page that alloc never handed out */
#define PLAIT_REFUSES_INTERIOR 4u /* a pointer into the middle of an object */

/* ---- above a model ------------------------------------------------------------------------------------------------- */

/* Native code that a Python model names as its `native` is entered in the model's place, and reaches the model by
 * these: a driver or a cache in C++ above an allocator that is only sketched. Without a model: an assertion failure. */
void *plait_model_alloc(size_t size);
int plait_model_free(void *object);

/* ---- inside `check` ------------------------------------------------------------------------------------------------ */

/* The object lies in a free structure: it can be handed out again. `cpu`: whose, or PLAIT_NO_CPU for a shared one. */
void plait_report_free(const void *object, uint32_t cpu);
/* The same where objects belong to a CPU: `home` is whose this one is. In the structure of another it is a
 * wrong-cpu-pool failure, even where nothing has come of that yet. */
void plait_report_free_of(const void *object, uint32_t cpu, uint32_t home);
/* The object was freed by its user and waits in a queue to become free. */
void plait_report_deferred(const void *object);
/* Pages held for the target's own use (headers, tables), as handed out by plait_page_alloc. A page that holds any
 * reported or live object need not be reported. */
void plait_report_page(const void *pages);
#define PLAIT_NO_CPU 0xffffffffu

/* True when the object is live: handed out and not freed. For counting; only inside `check`. */
bool plait_is_live(const void *object);

/* Fails the execution with kind `invariant` when the condition does not hold. */
void plait_invariant_failed(const char *text, const char *file, uint32_t line) __attribute__((noreturn));
#define PLAIT_INVARIANT(condition) \
  ((condition) ? (void)0 : plait_invariant_failed(#condition, __FILE__, (uint32_t)__LINE__))

#ifdef __cplusplus
}
#define PLAIT_EXTERN extern "C"
#else
#define PLAIT_EXTERN extern
#endif

/* Defines the one exported symbol that Plait looks for. Fields that are left out are zero, on purpose. */
#define PLAIT_TARGET(...)                                                                     \
  _Pragma("GCC diagnostic push")                                                              \
  _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")                          \
  PLAIT_EXTERN __attribute__((visibility("default"))) const struct plait_target plait_target; \
  const struct plait_target plait_target = {.abi = PLAIT_TARGET_ABI, __VA_ARGS__};            \
  _Pragma("GCC diagnostic pop")                                                               \
  PLAIT_EXTERN const struct plait_target plait_target

#endif /* PLAIT_TARGET_H */
