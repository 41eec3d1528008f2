// SPDX-License-Identifier: Apache-2.0
//
// Depth 4: an interrupt after each of two reads and before the write that follows; one alone is made up for.
constexpr uint32_t kWorkers = 1;
Word first, second, lost, fired;

void handle() {
  first = first + 1;
  second = second + 1;
  fired = fired + 1;
}

// True when an interrupt was lost.
bool add(Word& word) {
#ifdef FIXED
  const plait_irq_flags_t flags = plait_irq_save();
#endif
  const uint64_t before = fired;
  const uint64_t seen = word;
  word = seen + 1;
  const bool missed = fired != before;
#ifdef FIXED
  plait_irq_restore(flags);
#endif
  return missed && word == seen + 1;
}

void work(uint32_t) {
  const bool one = add(first);
  const bool other = add(second);
  PLAIT_ASSERT(!(one && other));
}
