// SPDX-License-Identifier: Apache-2.0
//
// The memory of the simulated machine: an arena of pages at a fixed address (so pointer values are the same in every
// process), the target's own .data and .bss, and the machine's page supply. Each 8 bytes have a metadata word with
// their state; the access hooks read it directly (base/hot.h).
//
// Between executions nothing is reloaded: an undo log holds the old value of each word written, at most once, and a
// journal the old state of each range whose state changed. Both have two levels: back to the state after the
// target's init (between schedules of one scenario), and back to the state after load (before another scenario).
// Pages that are handed out during an execution need neither: they get the same content each time they are handed
// out, and are forgotten as a whole.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/hot.h"
#include "base/range.h"

namespace plait {

class Memory {
 public:
  static constexpr uintptr_t kArenaBase = 0x200000000000u;
  static constexpr size_t kArenaBytes = size_t{64} << 20;
  static constexpr size_t kPagesBytes = size_t{40} << 20;  // then the private heap, up to kGlobals
  static constexpr size_t kFirstPage = 0x2000;             // offset: page 0 stays unmapped, as everywhere
  // A page that the supply never hands out, mapped and zeroed: where pointers that are nobody's point to.
  static constexpr size_t kForeignPage = size_t{39} << 20;

  // Globals of a model, which has no shared object: the end of the arena.
  static constexpr size_t kGlobals = size_t{60} << 20;
  static constexpr size_t kGlobalsMax = kArenaBytes - kGlobals;

  explicit Memory(Hot& hot);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // The globals of the target that runs next. Undoes everything first.
  void set_data(AddressRange data, const std::vector<AddressRange>& constants);

  // The same for a model: zeroed bytes at globals(). At most kGlobalsMax.
  void set_globals(size_t bytes);
  uintptr_t globals() const { return base_ + kGlobals; }

  // ---- between executions
  void configure(size_t page_size, uint32_t pages);  // pristine again, with this page supply
  void snapshot();                                   // the state to come back to
  void rollback();                                   // to the snapshot
  void rollback_all();                               // to the state after load

  // ---- accesses
  // The metadata of the granule, or null when the address is neither in the arena nor in the target's data.
  uint32_t* meta(uintptr_t address) const {
    if (in_arena(address)) return hot_.arena_meta + ((address - base_) >> kGranuleShift);
    if (in_data(address)) return hot_.data_meta + ((address - hot_.data_base) >> kGranuleShift);
    return nullptr;
  }
  GranuleState state(uintptr_t address) const {
    const uint32_t* word = meta(address);
    return word ? plain(*word) : kUnmapped;
  }
  // Of a range that is not empty and lies in the arena.
  bool is_all(uintptr_t address, size_t size, GranuleState state) const {
    const uint32_t* word = meta(address);
    const uint32_t* const last = meta(address + size - 1);
    while (word <= last && plain(*word) == state) ++word;
    return word > last;
  }
  bool in_arena(uintptr_t address) const { return address - base_ < kArenaBytes; }
  bool in_pages(uintptr_t address) const { return address - base_ < kPagesBytes; }
  bool in_globals(uintptr_t address) const { return address - base_ - kGlobals < kGlobalsMax; }
  bool in_data(uintptr_t address) const { return address - hot_.data_base < hot_.data_size; }
  bool in_constants(uintptr_t address) const;
  uintptr_t offset(uintptr_t arena_address) const { return arena_address - base_; }
  uintptr_t base() const { return base_; }
  uintptr_t foreign_object() const { return base_ + kForeignPage + page_size_ / 2; }
  // Saves the words under [address, address + size) before they are written. All must have metadata.
  void log(uintptr_t address, size_t size) {
    const uintptr_t end = address + size;
    uintptr_t granule = address & ~uintptr_t{7};
    for (uint32_t* word = meta(granule); granule < end; granule += 8) log_granule(word++, granule);
  }
  // The same for one granule, whose metadata word is at hand.
  void log_granule(uint32_t* meta, uintptr_t address) {
    if (*meta >> kStateBits == epoch_) return;
    *meta = (epoch_ << kStateBits) | (*meta & kStateMask);
    auto* word = reinterpret_cast<uint64_t*>(address);
    if (undo_count_ == undo_.size()) [[unlikely]] grow_undo();
    undo_[undo_count_++] = {word, *word};
  }
  // Whether the running code is a driver's: in the arena it may then read and write what is live.
  void let_driver(bool on) { hot_.arena_ok = (hot_.write_ok & ~kStateMask) | (on ? kLive : kOwned); }
  bool driver_let() const { return (hot_.arena_ok & kStateMask) == kLive; }
  // A write by the machine itself into memory that has metadata.
  void write64(uintptr_t address, uint64_t value);
  // Accesses to these granules, at most kWatchedMax, no longer take the fast path, until the next rollback.
  static constexpr size_t kWatchedMax = 16;
  void watch(std::span<const uintptr_t> granules);
  bool watched(uintptr_t address) const {
    for (uint32_t i = 0; i < watched_count_; ++i) {
      if (watched_[i] == address >> kGranuleShift) return true;
    }
    return false;
  }
  // For a range in pages that are held, or in the target's data.
  void set_state(uintptr_t address, size_t size, GranuleState state);

  // ---- page supply
  size_t page_size() const { return page_size_; }
  void* page_alloc(size_t count);  // null: out
  bool page_free(uintptr_t address, size_t count);  // false: never handed out so, or already back
  uint32_t pages_held() const { return held_; }
  // The run of pages that holds this address: its base and size in bytes; size 0 when not held.
  AddressRange run_of(uintptr_t address) const;
  template <typename Visit>
  void each_run(Visit visit) const {
    for (const Run& run : runs_) {
      if (run.held) visit(AddressRange{base_ + run.offset, run.count * page_size_}, run.held_at_snapshot);
    }
  }

  // ---- private heap of the target (malloc and operator new inside it)
  void* heap_alloc(size_t size, size_t alignment);
  bool heap_free(uintptr_t address);  // false: no block starts here
  size_t heap_size(uintptr_t address) const;

 private:
  struct Undo {
    uint64_t* word;
    uint64_t old;
  };
  struct StateChange {
    uintptr_t address;
    uint32_t granules;
    uint32_t old;
  };
  struct Run {  // pages handed out together
    uintptr_t offset;
    uint32_t count;
    bool held;
    bool held_at_snapshot;
  };
  struct Block {  // of the private heap
    uintptr_t offset;
    uint32_t size;      // asked for
    uint32_t capacity;  // multiple of 16
    bool used;
    bool used_at_snapshot;
  };

  static GranuleState plain(uint32_t word) {
    const auto state = static_cast<GranuleState>(word & kStateMask);
    return state == kWatched ? kOwned : state == kWatchedLive ? kLive : state;
  }
  bool journaled(uintptr_t address) const {
    return !in_pages(address) || run_index_[page_of(address)] <= runs_at_snapshot_;
  }
  void mark_watched(uintptr_t address, size_t size);
  [[gnu::noinline]] void grow_undo();
  void undo_to(size_t words, size_t changes);
  void change_state(uintptr_t address, size_t size, GranuleState state);  // and note it in the journal
  size_t page_of(uintptr_t address) const { return (address - base_) >> page_shift_; }
  void next_epoch();
  size_t new_run(size_t count);

  Hot& hot_;
  uintptr_t base_ = 0;
  std::vector<AddressRange> constants_;
  std::vector<uint32_t> data_meta_;
  size_t globals_size_ = 0;
  uint32_t epoch_ = 1;

  std::array<uintptr_t, kWatchedMax> watched_{};  // granules
  uint32_t watched_count_ = 0;

  std::vector<Undo> undo_;  // the first undo_count_ are in use
  size_t undo_count_ = 0;
  std::vector<StateChange> changes_;
  size_t undo_at_snapshot_ = 0;
  size_t changes_at_snapshot_ = 0;

  size_t page_size_ = 512;
  uint32_t page_shift_ = 9;
  uint32_t pages_ = 0;
  uint32_t held_ = 0;
  uint32_t held_at_snapshot_ = 0;
  std::vector<Run> runs_;
  std::vector<uint32_t> run_index_;  // page number → index in runs_, plus 1
  std::vector<uint32_t> free_runs_;  // last in, first out: reuse shows more bugs than fresh pages
  std::vector<uint32_t> free_runs_at_snapshot_;
  size_t runs_at_snapshot_ = 0;
  uintptr_t next_page_ = kFirstPage;
  uintptr_t next_page_at_snapshot_ = kFirstPage;

  std::vector<Block> blocks_;
  size_t blocks_at_snapshot_ = 0;
  uintptr_t next_block_ = kPagesBytes;
  uintptr_t next_block_at_snapshot_ = kPagesBytes;
};

}  // namespace plait
