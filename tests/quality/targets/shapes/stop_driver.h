// SPDX-License-Identifier: Apache-2.0
//
// Depth 2: the request has looked before the stop, and touches the device after it.
constexpr uint32_t kWorkers = 2;
std::atomic<uint64_t> pending{1}, stopping, stopped;

void leave() {
  if (--pending == 0) stopped = 1;
}

void work(uint32_t who) {
  if (who == 0) {
    stopping = 1;
    return leave();
  }
#ifdef FIXED
  uint64_t seen = pending;
  while (seen != 0 && !pending.compare_exchange_strong(seen, seen + 1)) plait_relax();
  if (seen == 0) return;
  if (stopping != 0) return leave();
#else
  if (stopping != 0) return;
  ++pending;
#endif
  PLAIT_ASSERT(stopped == 0);
  leave();
}
