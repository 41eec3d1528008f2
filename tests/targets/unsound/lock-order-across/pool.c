/* SPDX-License-Identifier: Apache-2.0
 *
 * A page for each object. When many are out, a reserve is reckoned up under its own lock, inside that of the pool; when
 * the supply has run dry, the pool is looked at inside the lock of the reserve. A scenario has either little memory or
 * enough, so no single execution takes the two locks in both orders; a machine that runs for long does.
 */
#include "plait/target.h"

static plait_spinlock_t pool_lock, reserve_lock;
static uint32_t out, most, dry;

enum { MANY = 8 }; /* pages: as many as a scenario with little memory has */

#if TWIN == 1
static plait_spinlock_t outer_lock;
static void enter(void) { plait_spin_lock(&outer_lock); }
static void leave(void) { plait_spin_unlock(&outer_lock); }
#else
static void enter(void) {}
static void leave(void) {}
#endif

static void note_many(void) {
  if (out <= MANY) return;
  plait_spin_lock(&reserve_lock);
  if (out > most) most = out;
  plait_spin_unlock(&reserve_lock);
}

static void note_dry(void) {
#if TWIN == 2
  plait_spin_lock(&pool_lock);
  plait_spin_lock(&reserve_lock);
#else
  plait_spin_lock(&reserve_lock);
  plait_spin_lock(&pool_lock);
#endif
  dry = out;
  plait_spin_unlock(&pool_lock);
  plait_spin_unlock(&reserve_lock);
}

static void *page_alloc(size_t size) {
  (void)size;
  enter();
  plait_spin_lock(&pool_lock);
  void *const page = plait_page_alloc(1, 0);
  if (page) {
    ++out;
    note_many();
  }
  plait_spin_unlock(&pool_lock);
  if (!page) note_dry();
  leave();
  return page;
}

static int page_release(void *page) {
  enter();
  plait_spin_lock(&pool_lock);
  plait_page_free(page, 1);
  --out;
  plait_spin_unlock(&pool_lock);
  leave();
  return 0;
}

PLAIT_TARGET(.alloc = page_alloc, .free = page_release, .size_max = 256);
