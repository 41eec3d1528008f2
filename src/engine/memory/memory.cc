// SPDX-License-Identifier: Apache-2.0
#include "memory/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"

namespace plait {
namespace {

constexpr uintptr_t kGranule = uintptr_t{1} << kGranuleShift;
constexpr uint32_t kEpochMax = (1u << (32 - kStateBits)) - 1;
constexpr unsigned char kUninitialised = 0xa5;

void* reserve(uintptr_t at, size_t bytes) {
  void* wanted = reinterpret_cast<void*>(at);
  void* got = mmap(wanted, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  if (at && got != MAP_FAILED && got != wanted) munmap(got, bytes);
  if (got == MAP_FAILED || (at && got != wanted)) return nullptr;
  return got;
}

}  // namespace

Memory::Memory(Hot& hot) : hot_(hot) {
  // A 39-bit address space, or somebody else's mapping, cannot have the fixed address; traces are the same anyway
  // because addresses in them are offsets, only raw pointer values inside the target differ.
  void* arena = reserve(kArenaBase, kArenaBytes);
  if (!arena) arena = reserve(0, kArenaBytes);
  void* meta = reserve(0, (kArenaBytes >> kGranuleShift) * sizeof(uint32_t));
  if (!arena || !meta) throw std::bad_alloc();
  base_ = reinterpret_cast<uintptr_t>(arena);
  hot_.arena_base = base_;
  hot_.arena_size = kArenaBytes;
  hot_.arena_meta = static_cast<uint32_t*>(meta);
  runs_.reserve(256);
  undo_.resize(4096);
  changes_.reserve(1024);
  next_epoch();
}

Memory::~Memory() {
  munmap(reinterpret_cast<void*>(base_), kArenaBytes);
  munmap(hot_.arena_meta, (kArenaBytes >> kGranuleShift) * sizeof(uint32_t));
}

void Memory::set_data(AddressRange data, const std::vector<AddressRange>& constants) {
  rollback_all();
  data_meta_.assign(data.size >> kGranuleShift, kOwned);
  constants_ = constants;
  hot_.data_base = data.base;
  hot_.data_size = data.size;
  hot_.data_meta = data_meta_.data();
}

void Memory::set_globals(size_t bytes) {
  std::memset(reinterpret_cast<void*>(globals()), 0, globals_size_);
  std::fill_n(meta(globals()), globals_size_ >> kGranuleShift, kUnmapped);
  globals_size_ = bytes;
  std::fill_n(meta(globals()), globals_size_ >> kGranuleShift, kOwned);
}

// ---- between executions

void Memory::next_epoch() {
  if (++epoch_ >= kEpochMax) {
    // Stamps of the first round must not look current in the second.
    const size_t used = (kArenaBytes >> kGranuleShift);
    for (size_t i = 0; i < used; ++i) {
      if (hot_.arena_meta[i] > kStateMask) hot_.arena_meta[i] &= kStateMask;
    }
    for (uint32_t& word : data_meta_) word &= kStateMask;
    epoch_ = 1;
  }
  hot_.write_ok = hot_.arena_ok = (epoch_ << kStateBits) | kOwned;
  hot_.writes = 0;
}

void Memory::grow_undo() { undo_.resize(undo_.size() * 2); }

void Memory::undo_to(size_t words, size_t changes) {
  while (undo_count_ > words) {
    const Undo& entry = undo_[--undo_count_];
    *entry.word = entry.old;
  }
  while (changes_.size() > changes) {
    const StateChange& change = changes_.back();
    std::fill_n(meta(change.address), change.granules, change.old);
    changes_.pop_back();
  }
  next_epoch();
}

void Memory::snapshot() {
  undo_at_snapshot_ = undo_count_;
  changes_at_snapshot_ = changes_.size();
  held_at_snapshot_ = held_;
  runs_at_snapshot_ = runs_.size();
  for (Run& run : runs_) run.held_at_snapshot = run.held;
  free_runs_at_snapshot_ = free_runs_;
  next_page_at_snapshot_ = next_page_;
  blocks_at_snapshot_ = blocks_.size();
  for (Block& block : blocks_) block.used_at_snapshot = block.used;
  next_block_at_snapshot_ = next_block_;
  next_epoch();
}

void Memory::rollback() {
  watched_count_ = 0;
  undo_to(undo_at_snapshot_, changes_at_snapshot_);
  held_ = held_at_snapshot_;
  for (size_t i = runs_at_snapshot_; i < runs_.size(); ++i) {
    const Run& run = runs_[i];
    std::fill_n(run_index_.begin() + static_cast<ptrdiff_t>(run.offset >> page_shift_), run.count, 0);
    std::fill_n(meta(base_ + run.offset), (run.count * page_size_) >> kGranuleShift, kUnmapped);
  }
  runs_.resize(runs_at_snapshot_);
  for (Run& run : runs_) run.held = run.held_at_snapshot;
  free_runs_ = free_runs_at_snapshot_;
  next_page_ = next_page_at_snapshot_;
  blocks_.resize(blocks_at_snapshot_);
  for (Block& block : blocks_) block.used = block.used_at_snapshot;
  next_block_ = next_block_at_snapshot_;
}

void Memory::rollback_all() {
  undo_at_snapshot_ = changes_at_snapshot_ = runs_at_snapshot_ = blocks_at_snapshot_ = 0;
  held_at_snapshot_ = 0;
  free_runs_at_snapshot_.clear();
  next_page_at_snapshot_ = kFirstPage;
  next_block_at_snapshot_ = kPagesBytes;
  rollback();
}

void Memory::configure(size_t page_size, uint32_t pages) {
  rollback_all();
  if (page_size != page_size_ || run_index_.empty()) run_index_.assign(kPagesBytes / page_size, 0);
  page_size_ = page_size;
  page_shift_ = static_cast<uint32_t>(std::countr_zero(page_size));
  pages_ = pages;
  next_page_at_snapshot_ = next_page_ = kFirstPage < page_size ? page_size : kFirstPage;
  change_state(base_ + kForeignPage, page_size, kOwned);
}

// ---- accesses

bool Memory::in_constants(uintptr_t address) const {
  for (const AddressRange& range : constants_) {
    if (range.contains(address)) return true;
  }
  return false;
}

void Memory::write64(uintptr_t address, uint64_t value) {
  log(address, sizeof value);
  std::memcpy(reinterpret_cast<void*>(address), &value, sizeof value);
  ++hot_.writes;
}

void Memory::set_state(uintptr_t address, size_t size, GranuleState state) {
  if (journaled(address)) return change_state(address, size, state);
  // With the current epoch: nothing of such a page needs the undo log.
  std::fill_n(meta(address), (size + kGranule - 1) >> kGranuleShift, (epoch_ << kStateBits) | state);
  if (state == kOwned) mark_watched(address, size);
}

void Memory::change_state(uintptr_t address, size_t size, GranuleState state) {
  uint32_t* word = meta(address);
  const auto granules = static_cast<uint32_t>((size + kGranule - 1) >> kGranuleShift);
  changes_.push_back({address, granules, plain(*word)});
  // The epochs go with it: a word may then be logged twice, and undoing in reverse still ends with its oldest value.
  std::fill_n(word, granules, state);
  if (state == kOwned) mark_watched(address, size);
}

// What becomes the target's after it was asked to be watched is watched from then on.
void Memory::mark_watched(uintptr_t address, size_t size) {
  for (uint32_t i = 0; i < watched_count_; ++i) {
    const uintptr_t granule = watched_[i] << kGranuleShift;
    if (granule - (address & ~uintptr_t{7}) >= size) continue;
    uint32_t* word = meta(granule);
    const uint32_t state = word == nullptr ? uint32_t{kUnmapped} : *word & kStateMask;
    const bool shared = state == kLive && !in_pages(granule);  // by a driver and its device
    if (state != kOwned && !shared) continue;
    if (journaled(granule)) changes_.push_back({granule, 1, state});
    *word = (*word & ~kStateMask) | (shared ? kWatchedLive : kWatched);
  }
}

void Memory::watch(std::span<const uintptr_t> granules) {
  watched_count_ = 0;
  for (const uintptr_t granule : granules.first(std::min(granules.size(), kWatchedMax))) {
    watched_[watched_count_++] = granule;
  }
  for (const uintptr_t granule : granules) mark_watched(granule << kGranuleShift, kGranule);
}

// ---- page supply

size_t Memory::new_run(size_t count) {
  // One page stays unmapped after each run, so that running over its end is seen at the first byte.
  if (next_page_ + (count + 1) * page_size_ > kForeignPage) return 0;
  runs_.push_back({next_page_, static_cast<uint32_t>(count), false, false});
  const size_t first = next_page_ >> page_shift_;
  for (size_t page = 0; page < count; ++page) run_index_[first + page] = static_cast<uint32_t>(runs_.size());
  next_page_ += (count + 1) * page_size_;
  return runs_.size();
}

void* Memory::page_alloc(size_t count) {
  if (count == 0 || count > pages_ - held_) return nullptr;
  size_t index = 0;  // plus 1
  for (size_t i = free_runs_.size(); i-- > 0;) {
    if (runs_[free_runs_[i]].count != count) continue;
    index = free_runs_[i] + 1;
    free_runs_.erase(free_runs_.begin() + static_cast<ptrdiff_t>(i));
    break;
  }
  if (index == 0) index = new_run(count);
  if (index == 0) return nullptr;
  Run& run = runs_[index - 1];
  run.held = true;
  held_ += run.count;
  const uintptr_t address = base_ + run.offset;
  const size_t size = count * page_size_;
  if (index > runs_at_snapshot_) std::memset(reinterpret_cast<void*>(address), kUninitialised, size);
  set_state(address, size, kOwned);
  return reinterpret_cast<void*>(address);
}

bool Memory::page_free(uintptr_t address, size_t count) {
  const AddressRange range = run_of(address);
  if (range.base != address || range.size != count * page_size_) return false;
  const uint32_t index = run_index_[page_of(address)] - 1;
  runs_[index].held = false;
  held_ -= runs_[index].count;
  free_runs_.push_back(index);
  set_state(address, range.size, kFreedPage);
  return true;
}

AddressRange Memory::run_of(uintptr_t address) const {
  if (!in_pages(address) || run_index_.empty()) return {};
  const uint32_t index = run_index_[page_of(address)];
  if (index == 0 || !runs_[index - 1].held) return {};
  return {base_ + runs_[index - 1].offset, runs_[index - 1].count * page_size_};
}

// ---- private heap: a target's own bookkeeping, few blocks, so a linear search is enough

void* Memory::heap_alloc(size_t size, size_t alignment) {
  const size_t capacity = (size + 15) & ~size_t{15};
  if (alignment < 16) alignment = 16;
  for (Block& block : blocks_) {
    const uintptr_t address = base_ + block.offset;
    if (block.used || block.capacity != capacity || address % alignment != 0) continue;
    block.used = true;
    block.size = static_cast<uint32_t>(size);
    change_state(address, block.capacity, kUnmapped);
    change_state(address, size, kOwned);
    return reinterpret_cast<void*>(address);
  }
  const uintptr_t offset = (next_block_ + alignment - 1) & ~(alignment - 1);
  if (size > kGlobals || offset + capacity + 16 > kGlobals) return nullptr;
  next_block_ = offset + capacity + 16;  // 16 unmapped bytes between blocks
  blocks_.push_back({offset, static_cast<uint32_t>(size), static_cast<uint32_t>(capacity), true, false});
  change_state(base_ + offset, size, kOwned);
  return reinterpret_cast<void*>(base_ + offset);
}

bool Memory::heap_free(uintptr_t address) {
  for (Block& block : blocks_) {
    if (base_ + block.offset != address || !block.used) continue;
    block.used = false;
    change_state(address, block.capacity, kFreedPage);
    return true;
  }
  return false;
}

size_t Memory::heap_size(uintptr_t address) const {
  for (const Block& block : blocks_) {
    if (base_ + block.offset == address && block.used) return block.size;
  }
  return 0;
}

}  // namespace plait
