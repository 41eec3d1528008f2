// SPDX-License-Identifier: Apache-2.0
//
// malloc and operator new inside a target: the engine's heap (which is the target itself when it declares so). Before
// plait_bind there is no engine; what static constructors allocate comes from a buffer in the target's own .bss, so
// it is part of the target's data and restored between executions like every global.
#include <cerrno>

#include "rt.h"

extern "C" int* __real___errno_location();

namespace {

using namespace plait;

constexpr size_t kAlignment = alignof(std::max_align_t);
constexpr size_t kEarlyBytes = size_t{64} << 10;

alignas(64) char early[kEarlyBytes];
size_t early_used;

// Each block is preceded by its size, for realloc. Never given back: there are a handful.
void* early_allocate(size_t size, size_t alignment) {
  const size_t start = (early_used + sizeof(size_t) + alignment - 1) & ~(alignment - 1);
  if (alignment > 64 || start > kEarlyBytes || size > kEarlyBytes - start) return nullptr;
  *reinterpret_cast<size_t*>(early + start - sizeof(size_t)) = size;
  early_used = start + size + (-size & (sizeof(size_t) - 1));
  return early + start;
}

bool is_early(const void* block) {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(early) < kEarlyBytes;
}

size_t usable_size(const void* block) {
  if (is_early(block)) return *reinterpret_cast<const size_t*>(static_cast<const char*>(block) - sizeof(size_t));
  return runtime::engine().heap_size(block);
}

bool power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

// For C functions, whose callers look at errno.
void* allocate_or_errno(size_t size, size_t alignment, uintptr_t pc) {
  void* const block = plait_rt_allocate(size, alignment, pc);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

void* resize(void* block, size_t size, uintptr_t pc) {
  if (block == nullptr) return allocate_or_errno(size, kAlignment, pc);
  if (size == 0) {
    plait_rt_free(block, pc);
    return nullptr;
  }
  void* const moved = allocate_or_errno(size, kAlignment, pc);
  if (moved == nullptr) return nullptr;
  const size_t before = usable_size(block);
  plait_rt_move(moved, block, before < size ? before : size, pc);
  plait_rt_free(block, pc);
  return moved;
}

}  // namespace

extern "C" {

void* plait_rt_allocate(size_t size, size_t alignment, uintptr_t pc) {
  if (size == 0) size = 1;
  if (alignment < kAlignment) alignment = kAlignment;
  if (plait_rt_table == nullptr) return early_allocate(size, alignment);
  return plait_rt_table->heap_alloc(size, alignment, pc);
}

void plait_rt_free(void* block, uintptr_t pc) {
  if (block == nullptr || is_early(block)) return;
  runtime::engine().heap_free(block, pc);
}

void* __wrap_malloc(size_t size) { return allocate_or_errno(size, kAlignment, PLAIT_CALLER_PC); }

void* __wrap_calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const block = allocate_or_errno(bytes, kAlignment, PLAIT_CALLER_PC);
  if (block != nullptr) plait_rt_fill(block, 0, bytes, PLAIT_CALLER_PC);
  return block;
}

void* __wrap_realloc(void* block, size_t size) { return resize(block, size, PLAIT_CALLER_PC); }

void* __wrap_reallocarray(void* block, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return resize(block, bytes, PLAIT_CALLER_PC);
}

void __wrap_free(void* block) { plait_rt_free(block, PLAIT_CALLER_PC); }

// What those leave in errno the target may read, and it may set it too.
int* __wrap___errno_location() {
  int* const at = __real___errno_location();
  plait_rt_note_own(at, sizeof *at);
  return at;
}

size_t __wrap_malloc_usable_size(void* block) { return block == nullptr ? 0 : usable_size(block); }

void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  if (!power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, PLAIT_CALLER_PC);
}

void* __wrap_memalign(size_t alignment, size_t size) {
  if (!power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, PLAIT_CALLER_PC);
}

int __wrap_posix_memalign(void** result, size_t alignment, size_t size) {
  if (!power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const block = plait_rt_allocate(size, alignment, PLAIT_CALLER_PC);
  if (block == nullptr) return ENOMEM;
  runtime::announce<kWrite>(result, sizeof *result, PLAIT_CALLER_PC);
  *result = block;
  return 0;
}
}
