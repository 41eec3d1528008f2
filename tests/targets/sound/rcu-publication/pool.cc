// SPDX-License-Identifier: Apache-2.0
//
// Readers look at plain fields that a writer wrote without sharing a lock with them. The settings are filled before they
// are published with a release, read after an acquire, and never changed or reused afterwards.
#include <atomic>

#include "../common/list.h"

namespace {

struct Settings {
  uint64_t generation;
  uint64_t twice;
};
constexpr uint32_t kGenerations = 64;
Settings settings[kGenerations];
uint32_t used;  // under the list's lock
std::atomic<const Settings*> current;

void replace_settings() {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  if (used < kGenerations) {
    Settings* const fresh = &settings[used++];
    fresh->generation = used;
    fresh->twice = 2 * used;
    current.store(fresh, std::memory_order_release);
  }
  plait_spin_unlock_irqrestore(&list_lock, flags);
}

void* pool_alloc(size_t) {
  const Settings* const now = current.load(std::memory_order_acquire);
  if (now != nullptr) PLAIT_ASSERT(now->twice == 2 * now->generation);
  return take();
}

int pool_free(void* object) {
  replace_settings();
  give(static_cast<Object*>(object));
  return 0;
}

void pool_check() { report_list(); }

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
