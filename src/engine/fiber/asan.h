// SPDX-License-Identifier: Apache-2.0
//
// AddressSanitizer keeps track of which stack a thread is on and has to be told about every switch. Without it these
// are nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define PLAIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIT_ASAN 1
#endif
#endif

#if defined(PLAIT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace plait::asan {

constexpr bool kOn = true;

// What ran on this stack will not go on: its frames must not stay poisoned.
inline void abandon_frames(uintptr_t lo, uintptr_t hi) {
  __asan_unpoison_memory_region(reinterpret_cast<const void*>(lo), hi - lo);
}
// `fake_stack` null: the stack that is left is never resumed.
inline void leave(void** fake_stack, uintptr_t to_lo, uintptr_t to_hi) {
  __sanitizer_start_switch_fiber(fake_stack, reinterpret_cast<const void*>(to_lo), to_hi - to_lo);
}
inline void arrive(void* fake_stack, const void** from_lo, size_t* from_size) {
  __sanitizer_finish_switch_fiber(fake_stack, from_lo, from_size);
}

}  // namespace plait::asan

#else

namespace plait::asan {

constexpr bool kOn = false;
inline void abandon_frames(uintptr_t, uintptr_t) {}
inline void leave(void**, uintptr_t, uintptr_t) {}
inline void arrive(void*, const void**, size_t*) {}

}  // namespace plait::asan

#endif
