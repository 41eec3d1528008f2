// SPDX-License-Identifier: Apache-2.0
#include "check/order.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/prng.h"

namespace plait {
namespace {

constexpr uint32_t kGranule = 1u << kGranuleShift;
constexpr size_t kNamedFirst = 256;
constexpr uint32_t kClockLast = (1u << kStampClockBits) - (1u << 19);  // one execution takes fewer ticks than the rest
constexpr uint32_t kContextMask = (1u << kStampContextBits) - 1;

uint32_t clock_of(uint64_t stamp) { return static_cast<uint32_t>(stamp & kStampClockMask); }
uint32_t context_of(uint64_t stamp) { return static_cast<uint32_t>(stamp >> kStampContextShift) & kContextMask; }
uint32_t cpu_of(uint64_t stamp) { return static_cast<uint32_t>(stamp >> kStampCpuShift) & (kCpusMax - 1); }
uint64_t pc_of(uint64_t stamp) { return stamp >> kStampPcShift; }

// A record in place of stamps: a stamp with a clock of this execution that means no byte, so that no fast path fits it,
// with the record's number where the pc would be.
bool is_record(const OrderCells& cells) { return (cells.half[0].write & kStampBytesMask) == 0 && cells.half[0].write != 0; }

constexpr bool acquires(uint32_t order) { return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order >= __ATOMIC_ACQ_REL; }
constexpr bool releases(uint32_t order) { return order >= __ATOMIC_RELEASE; }

}  // namespace

Order::Order(Hot& hot, size_t arena) : hot_(hot), arena_(arena), named_(kNamedFirst) {
  void* cells = mmap(nullptr, (arena_ >> kGranuleShift) * sizeof(OrderCells), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (cells == MAP_FAILED) throw std::bad_alloc();
  arena_cells_ = static_cast<OrderCells*>(cells);
  records_.resize(64);
}

Order::~Order() {
  stop();
  munmap(arena_cells_, (arena_ >> kGranuleShift) * sizeof(OrderCells));
}

void Order::set_data(size_t bytes) { data_cells_.assign(bytes >> kGranuleShift, OrderCells{}); }

void Order::set_code(uintptr_t base, size_t size) {
  hot_.code_base = base;
  code_fits_ = size < size_t{1} << kStampPcBits;
}

// ---- executions

// Clocks would overflow their stamps: all memory forgets, and they start over.
void Order::new_round() {
  madvise(arena_cells_, (arena_ >> kGranuleShift) * sizeof(OrderCells), MADV_DONTNEED);
  std::fill(data_cells_.begin(), data_cells_.end(), OrderCells{});
  clock_max_ = 0;
}

// Every context has seen all clocks up to the base: what earlier executions left orders before everything.
void Order::begin(uint32_t contexts) {
  if (clock_max_ >= kClockLast) new_round();
  ++execution_;
  contexts_ = contexts;
  found_ = false;
  named_used_ = records_used_ = lists_used_ = 0;
  hot_.order_base = clock_max_;
  clock_max_ += 2;
  for (uint32_t context = 0; context < contexts_; ++context) {
    seen_[context].at.fill(clock_max_ - 1);
    seen_[context].at[context] = clock_max_;
    if (cover_ == nullptr) continue;
    alone_[context].at.fill(clock_max_ - 1);
    alone_[context].at[context] = ~uint32_t{0};
  }
  cpu_read_.fill(Race::kNone);
  pause(false);
}

void Order::stop() { hot_.arena_cells = hot_.data_cells = nullptr; }

void Order::pause(bool paused) {
  if (paused || found_) return stop();
  hot_.arena_cells = arena_cells_;
  hot_.data_cells = data_cells_.data();
}

void Order::run(uint32_t context, uint32_t cpu) {
  current_ = context;
  hot_.order_seen = (cover_ ? alone_ : seen_)[context].at.data();
  hot_.order_stamp = uint64_t{seen_[context].at[context]} | uint64_t{context} << kStampContextShift |
                     uint64_t{cpu} << kStampCpuShift;
}

// ---- clocks

void Order::join(VectorClock& into, const VectorClock& from) const {
  for (uint32_t i = 0; i < contexts_; ++i) into.at[i] = std::max(into.at[i], from.at[i]);
}

void Order::add(Sync& sync) {
  if (sync.execution != execution_ || sync.last == current_) return give(sync);
  join(sync.clock, seen_[current_]);
  sync.last = Sync::kMany;
  tick();
}

void Order::wake(uint32_t context) { add(wakes_[context]); }

void Order::woken() {
  take(wakes_[current_]);
  wakes_[current_].execution = 0;
}

// ---- by address

Order::Named* Order::known(uintptr_t address) {
  for (size_t i = mix(0, address);; ++i) {
    Named& entry = named_[i & (named_.size() - 1)];
    if (entry.execution != execution_) return nullptr;
    if (entry.address == address) return &entry;
  }
}

void Order::grow() {
  std::vector<Named> old(named_.size() * 2);
  old.swap(named_);
  for (const Named& entry : old) {
    if (entry.execution != execution_) continue;
    size_t i = mix(0, entry.address);
    while (named_[i & (named_.size() - 1)].execution == execution_) ++i;
    named_[i & (named_.size() - 1)] = entry;
  }
}

Order::Named& Order::named(uintptr_t address) {
  if (Named* found = known(address)) return *found;
  if (++named_used_ * 2 > named_.size()) grow();
  size_t i = mix(0, address);
  while (named_[i & (named_.size() - 1)].execution == execution_) ++i;
  Named& entry = named_[i & (named_.size() - 1)];
  entry.address = address;
  entry.execution = execution_;
  entry.writer = 0;
  entry.sync.execution = 0;
  return entry;
}

// ---- marked and atomic accesses, fences: C11, 5.1.2.4 and 7.17

void Order::atomic(uintptr_t address, uint32_t kind) {
  const uint32_t order = (kind & kAtomic) ? kind >> kOrderShift : uint32_t{__ATOMIC_RELAXED};
  if (kind & kRead) {
    if (Named* entry = known(address); entry && entry->sync.execution == execution_) {
      const Sync& sync = entry->sync;
      if (acquires(order)) {
        take(sync);
      } else {
        Sync& read = read_[current_];
        if (read.execution != execution_) {
          read = sync;
        } else {
          join(read.clock, sync.clock);
        }
        read.last = Sync::kMany;
      }
    }
  }
  if (!(kind & kWrite)) return;
  if (releases(order)) {
    (kind & kRead) ? add(of(address)) : give(of(address));
    return;
  }
  const Sync& released = released_[current_];
  const bool fenced = released.execution == execution_;
  if (kind & kRead) {  // a release sequence goes on through it
    if (!fenced) return;
    Sync& sync = of(address);
    if (sync.execution == execution_) {
      join(sync.clock, released.clock);
    } else {
      sync = released;
    }
    sync.last = Sync::kMany;
  } else if (fenced) {
    of(address) = released;
  } else if (Named* entry = known(address)) {
    entry->sync.execution = 0;
  }
}

void Order::fence(uint32_t order) {
  if (acquires(order)) take(read_[current_]);
  if (releases(order)) give(released_[current_]);
}

// ---- plain accesses

OrderCells* Order::cells(uintptr_t address) {
  const uintptr_t in_arena = address - hot_.arena_base;
  if (in_arena < arena_) return arena_cells_ + (in_arena >> kGranuleShift);
  const uintptr_t in_data = address - hot_.data_base;
  if (in_data < hot_.data_size) return data_cells_.data() + (in_data >> kGranuleShift);
  return nullptr;
}

void Order::forget(uintptr_t address, size_t size) {
  if (OrderCells* first = cells(address)) std::fill_n(first, (size + kGranule - 1) >> kGranuleShift, OrderCells{});
}

bool Order::past(uint64_t stamp) const { return clock_of(stamp) <= hot_.order_seen[context_of(stamp)]; }

void Order::access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  cover_ ? covered(address, size, kind, pc) : any(address, size, kind, pc);
}

void Order::any(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (kind & (kMarked | kAtomic)) return atomic(address, kind);
  plain(address, size, (kind & kWrite) != 0, pc);
}

// The last write there is noted before the access changes what memory remembers.
void Order::covered(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc) {
  if (kind & (kMarked | kAtomic)) {
    Named& entry = named(address);
    meets(entry.writer, kind, pc);
    if (kind & kWrite) entry.writer = hot_.order_stamp | (pc - hot_.code_base) << kStampPcShift;
  } else if (const OrderCells* found = cells(address); found && !is_record(*found)) {
    meets(found->half[size < 8 ? (address >> 2) & 1 : 0].write, kind, pc);
  }
  hot_.order_seen = seen_[current_].at.data();
  any(address, size, kind, pc);
  hot_.order_seen = alone_[current_].at.data();
}

void Order::meets(uint64_t writer, uint32_t kind, uintptr_t pc) {
  if (clock_of(writer) <= hot_.order_base + 1 || context_of(writer) == current_) return;
  const uint64_t relation = uint64_t{cover_->is_handler(context_of(writer))} | uint64_t{cover_->is_handler(current_)} << 1 |
                            uint64_t{cpu_of(writer) == cpu_of(hot_.order_stamp)} << 2 | uint64_t{(kind & kWrite) != 0} << 3;
  cover_->count(mix(mix(pc_of(writer), pc - hot_.code_base), relation));
}

void Order::plain(uintptr_t address, size_t size, bool write, uintptr_t pc) {
  if ((address & (kGranule - 1)) + size > kGranule) return write ? range<true>(address, size, pc) : range<false>(address, size, pc);
  if (OrderCells* found = cells(address)) piece(*found, address, size, address, size, write, pc);
}

// Of several granules. Most of them are accessed as a whole each time.
template <bool kIsWrite>
void Order::range(uintptr_t address, size_t size, uintptr_t pc) {
  const uint64_t whole = order_bytes(0, kGranule);
  for (uintptr_t at = address; at < address + size;) {
    const uintptr_t next = std::min<uintptr_t>((at | (kGranule - 1)) + 1, address + size);
    OrderCells* found = cells(at);
    const bool done = found && next - at == kGranule && order_simple<kIsWrite>(hot_, found->half[0], whole, pc);
    if (found && !done) piece(*found, at, next - at, address, size, kIsWrite, pc);
    at = next;
  }
}

void Order::piece(OrderCells& cells, uintptr_t at, size_t part, uintptr_t address, size_t size, bool write, uintptr_t pc) {
  const bool recorded = is_record(cells) && clock_of(cells.half[0].write) > hot_.order_base;
  if (!recorded && (write ? order_granule<true>(hot_, cells, at, part, pc) : order_granule<false>(hot_, cells, at, part, pc))) {
    return;
  }
  Record& record = recorded ? records_[pc_of(cells.half[0].write)] : new_record(cells);
  const uint64_t bytes = order_bytes(at, part) & kStampBytesMask;
  const uint64_t stamp = hot_.order_stamp | bytes | (pc - hot_.code_base) << kStampPcShift;
  if (!record.list && into_bytes(record, stamp, at & (kGranule - 1), static_cast<uint32_t>(part), address, size, write)) return;
  if (!record.list) record.list = list_of(record);
  into_list(*record.list, stamp, bytes, address, size, write);
}

Order::Record& Order::new_record(OrderCells& cells) {
  if (records_used_ == records_.size()) records_.resize(records_.size() * 2);
  Record& record = records_[records_used_];
  record.list = nullptr;
  record.bytes = {};
  // What everybody has seen from the start says nothing.
  const auto keep = [&](uint64_t stamp, bool write) {
    if (clock_of(stamp) <= hot_.order_base + 1) return;
    for (uint32_t i = 0; i < kBytes; ++i) {
      if (stamp >> (kStampBytesShift + i) & 1) (write ? record.bytes[i].write : record.bytes[i].read) = stamp;
    }
  };
  for (const OrderCell& half : cells.half) {
    keep(half.write, true);
    keep(half.read, false);
  }
  cells = {};
  cells.half[0].write = (hot_.order_base + 1) | uint64_t{records_used_} << kStampPcShift;
  ++records_used_;
  return record;
}

// False, and nothing is noted: a byte has another reader that has to stay known.
bool Order::into_bytes(Record& record, uint64_t stamp, uint32_t first, uint32_t count, uintptr_t address, size_t size, bool write) {
  constexpr uint64_t kWho = kStampIdentity & ~(kStampBytesMask | kStampPart);  // and when
  for (uint32_t i = first; i < first + count; ++i) {
    const OrderCell& cell = record.bytes[i];
    if (!past(cell.write)) return report(cell.write, true, stamp, write, address, size), true;
    if (past(cell.read)) continue;
    if (!write) return false;
    return report(cell.read, false, stamp, write, address, size), true;
  }
  for (uint32_t i = first; i < first + count; ++i) {
    uint64_t& mine = write ? record.bytes[i].write : record.bytes[i].read;
    if (((mine ^ stamp) & kWho) != 0) mine = stamp;  // otherwise nothing was passed on since
  }
  return true;
}

// A stamp that is in several bytes is one access, of what is left of it.
Order::List* Order::list_of(const Record& record) {
  if (lists_used_ == lists_.size()) lists_.emplace_back();
  List& list = lists_[lists_used_++];
  list.count = 0;
  const auto add = [&](uint64_t stamp, uint32_t byte, bool write) {
    if (clock_of(stamp) <= hot_.order_base + 1) return;
    const uint64_t bit = uint64_t{1} << (kStampBytesShift + byte);
    for (uint32_t i = 0; i < list.count; ++i) {
      Entry& entry = list.entries[i];
      if (entry.write != write || ((entry.stamp ^ stamp) & ~kStampBytesMask) != 0) continue;
      entry.stamp |= bit;
      return;
    }
    list.entries[list.count++] = {(stamp & ~kStampBytesMask) | bit, write};
  };
  for (uint32_t i = 0; i < kBytes; ++i) {
    add(record.bytes[i].write, i, true);
    add(record.bytes[i].read, i, false);
  }
  return &list;
}

void Order::into_list(List& list, uint64_t stamp, uint64_t bytes, uintptr_t address, size_t size, bool write) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < list.count; ++i) {
    const Entry entry = list.entries[i];
    if (((entry.stamp ^ stamp) & kStampIdentity) == 0 && entry.write == write) return;  // since when nothing was passed on
    const bool conflicts = (entry.stamp & bytes) != 0 && (entry.write || write);
    if (conflicts && !past(entry.stamp)) return report(entry.stamp, entry.write, stamp, write, address, size);
    // Whoever comes after the new access also comes after this one.
    const bool covered = (entry.stamp & kStampBytesMask & ~bytes) == 0 && (write || !entry.write);
    if (!covered || !past(entry.stamp)) list.entries[kept++] = entry;
  }
  if (kept == List::kEntriesMax) --kept;  // of the last two readers one is forgotten: a race may be missed
  list.entries[kept++] = {stamp, write};
  list.count = kept;
}

void Order::report(uint64_t first, bool first_write, uint64_t second, bool second_write, uintptr_t address, size_t size) {
  const auto access = [this](uint64_t stamp, bool write) {
    return Race::Access{context_of(stamp), cpu_of(stamp), code_fits_ ? hot_.code_base + pc_of(stamp) : 0, write};
  };
  const uint32_t read = cpu_read_[current_];
  const uint32_t here = cpu_of(second);
  race_ = {access(first, first_write), access(second, second_write), address, size, read == here ? Race::kNone : read};
  found_ = true;
  stop();
}

}  // namespace plait
