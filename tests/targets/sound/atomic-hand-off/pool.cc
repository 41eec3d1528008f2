// SPDX-License-Identifier: Apache-2.0
//
// The place itself is plain memory that everybody writes and reads; who may is said by the state, which changes by
// compare-and-swap: claimed with an acquire, passed on with a release.
#include <atomic>

#include "../common/list.h"

namespace {

enum State : uint32_t { kEmpty, kFilling, kFull, kEmptying };
std::atomic<uint32_t> state;
Object* place;

bool claim(State from, State to) {
  uint32_t expected = from;
  return state.compare_exchange_strong(expected, to, std::memory_order_acquire, std::memory_order_relaxed);
}

void* pool_alloc(size_t) {
  if (!claim(kFull, kEmptying)) return take();
  Object* const object = place;
  place = nullptr;
  state.store(kEmpty, std::memory_order_release);
  return object;
}

int pool_free(void* freed) {
  auto* const object = static_cast<Object*>(freed);
  if (claim(kEmpty, kFilling)) {
    place = object;
    state.store(kFull, std::memory_order_release);
  } else {
    give(object);
  }
  return 0;
}

void pool_check() {
  if (place != nullptr) plait_report_free(place, PLAIT_NO_CPU);
  report_list();
}

}  // namespace

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
