// SPDX-License-Identifier: Apache-2.0
//
// Depth 2: the flag is raised before the reader looks at it, and the reader looks at the data before they are written.
constexpr uint32_t kWorkers = 2;
Word data, ready;

void work(uint32_t who) {
  if (who == 0) {
#ifdef FIXED
    data = 42;
    ready = 1;
#else
    ready = 1;
    data = 42;
#endif
  } else if (ready != 0) {
    PLAIT_ASSERT(data == 42);
  }
}
