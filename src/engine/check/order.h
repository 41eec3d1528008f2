// SPDX-License-Identifier: Apache-2.0
//
// Order checks: two conflicting unmarked accesses that nothing orders are a race, even where the run at hand came out
// well. Vector clocks over contexts and stamps on memory, after FastTrack (Flanagan and Freund, PLDI 2009). What
// orders is machine.md, "Order": locks, release and acquire, waking; and two kernel facts as locks of each CPU,
// interrupts off and preemption off.
//
// Differences from the paper: a stamp covers a granule of 8 bytes and says which bytes were meant; a granule whose last
// accesses do not fit one write and one read of the same bytes (of each half) gets a record that lists them all. Memory is stamped
// inline by the hooks (base/hot.h); only what cannot be settled there comes here. Volatile accesses order like
// relaxed atomics, as READ_ONCE and WRITE_ONCE do in Linux.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/hot.h"
#include "base/types.h"
#include "check/cover.h"

namespace plait {

constexpr uint32_t kOrderContexts = kTasksMax + kLinesMax + kDevicesMax;
static_assert(kOrderContexts <= 1u << kStampContextBits);

struct VectorClock {
  std::array<uint32_t, kOrderContexts> at{};
};

// What a lock, a CPU's flag or an atomic word passes on from who let go to who takes.
struct Sync {
  static constexpr uint32_t kMany = 0xff;
  uint64_t execution = 0;  // of which it is; of another: nothing was passed on yet
  uint32_t last = kMany;   // the clock below is exactly what this context had; kMany: a mixture
  uint32_t last_clock = 0;
  VectorClock clock;
};

// Two accesses that nothing orders, the later one second.
struct Race {
  struct Access {
    uint32_t context = 0;  // as numbered by the caller of Order::run
    uint32_t cpu = 0;
    uintptr_t pc = 0;  // 0: not known
    bool write = false;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};
  Access first, second;
  uintptr_t address = 0;
  size_t size = 0;
  uint32_t left_cpu = kNone;  // the number that the second context last read as its own and that is not its CPU's any more
};

class Order {
 public:
  // `arena` bytes of simulated memory get stamps; the target's data when it is set.
  Order(Hot& hot, size_t arena);
  ~Order();
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;

  void set_data(size_t bytes);
  void set_code(uintptr_t base, size_t size);

  // ---- an execution
  void begin(uint32_t contexts);  // numbered from 0
  void stop();                    // no access is looked at from now on
  bool on() const { return hot_.arena_cells != nullptr; }
  // Counts who meets whom in memory, from the next execution on; null: nobody asks. An access to what another context
  // left there then passes by here, because the hooks are told that nobody has seen what others did.
  void set_cover(Cover* cover) { cover_ = cover; }
  // Off while `paused`: for code of the target that looks on from outside the execution.
  void pause(bool paused);
  const Race* race() const { return found_ ? &race_ : nullptr; }

  // ---- what happens in it; each only when on()
  void run(uint32_t context, uint32_t cpu);  // this context runs now, there
  void read_cpu(uint32_t cpu) { cpu_read_[current_] = cpu; }  // the running context learnt its CPU's number
  void access(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void fence(uint32_t order);
  void forget(uintptr_t address, size_t size);  // memory that was given back: who has it next has it fresh
  void take(const Sync& sync) {
    if (sync.execution != execution_) return;
    if (sync.last != Sync::kMany && seen_[current_].at[sync.last] >= sync.last_clock) return;  // and so all it knew
    join(seen_[current_], sync.clock);
  }
  void give(Sync& sync) {
    sync.execution = execution_;
    sync.last = current_;
    sync.last_clock = seen_[current_].at[current_];
    sync.clock = seen_[current_];
    tick();
  }
  void add(Sync& sync);  // gives, and what others gave stays
  void wake(uint32_t context);   // the running context's past reaches this one when it goes on
  void woken();                  // the running context goes on
  Sync& of(uintptr_t address) { return named(address).sync; }  // of the lock at this address
  Sync& interrupts(uint32_t cpu) { return interrupts_[cpu]; }
  Sync& preemption(uint32_t cpu) { return preemption_[cpu]; }
  Sync& object(uint32_t slot) { return objects_[slot]; }

 private:
  static constexpr uint32_t kBytes = 1u << kGranuleShift;
  struct Entry {
    uint64_t stamp;
    bool write;
  };
  struct List {  // of what was done to a granule, where a byte has several readers that all have to stay known
    static constexpr uint32_t kEntriesMax = 32;
    uint32_t count = 0;
    std::array<Entry, kEntriesMax> entries;
  };
  struct Record {  // of each byte of a granule that two stamps do not describe; or a list
    List* list = nullptr;
    std::array<OrderCell, kBytes> bytes{};
  };
  struct Named {
    uintptr_t address = 0;
    uint64_t execution = 0;
    uint64_t writer = 0;  // stamp of the last write, where somebody counts
    Sync sync;
  };

  OrderCells* cells(uintptr_t address);
  void any(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void covered(uintptr_t address, size_t size, uint32_t kind, uintptr_t pc);
  void meets(uint64_t writer, uint32_t kind, uintptr_t pc);
  void plain(uintptr_t address, size_t size, bool write, uintptr_t pc);
  template <bool kIsWrite>
  void range(uintptr_t address, size_t size, uintptr_t pc);
  void piece(OrderCells& cells, uintptr_t at, size_t part, uintptr_t address, size_t size, bool write, uintptr_t pc);
  bool into_bytes(Record& record, uint64_t stamp, uint32_t first, uint32_t count, uintptr_t address, size_t size, bool write);
  void into_list(List& list, uint64_t stamp, uint64_t bytes, uintptr_t address, size_t size, bool write);
  List* list_of(const Record& record);
  Record& new_record(OrderCells& cells);
  void report(uint64_t first, bool first_write, uint64_t second, bool second_write, uintptr_t address, size_t size);
  void atomic(uintptr_t address, uint32_t kind);
  Named* known(uintptr_t address);
  Named& named(uintptr_t address);
  void grow();
  void join(VectorClock& into, const VectorClock& from) const;
  // What the running context does from now on is not what it has just passed on.
  void tick() {
    const uint32_t clock = ++seen_[current_].at[current_];
    clock_max_ = clock > clock_max_ ? clock : clock_max_;
    hot_.order_stamp = (hot_.order_stamp & ~kStampClockMask) | clock;
  }
  void new_round();
  bool past(uint64_t stamp) const;

  Hot& hot_;
  size_t arena_;
  OrderCells* arena_cells_;
  Cover* cover_ = nullptr;
  std::array<VectorClock, kOrderContexts> alone_;  // what the hooks are shown while somebody counts
  std::vector<OrderCells> data_cells_;
  bool code_fits_ = true;

  uint64_t execution_ = 0;
  uint32_t contexts_ = 0;
  uint32_t current_ = 0;
  std::array<uint32_t, kOrderContexts> cpu_read_{};  // Race::kNone: not yet
  uint32_t clock_max_ = 0;  // no stamp has a later clock
  std::array<VectorClock, kOrderContexts> seen_;
  std::array<Sync, kCpusMax> interrupts_;
  std::array<Sync, kCpusMax> preemption_;
  std::array<Sync, 256> objects_;
  std::array<Sync, kOrderContexts> wakes_;
  std::array<Sync, kOrderContexts> released_;  // by a release fence, for the relaxed stores after it
  std::array<Sync, kOrderContexts> read_;      // by relaxed loads, for the acquire fence after them
  std::vector<Named> named_;                   // open addressing; a power of two
  uint32_t named_used_ = 0;
  std::vector<Record> records_;
  uint32_t records_used_ = 0;
  std::deque<List> lists_;  // they stay where they are
  uint32_t lists_used_ = 0;
  bool found_ = false;
  Race race_;
};

}  // namespace plait
