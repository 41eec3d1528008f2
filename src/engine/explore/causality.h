// SPDX-License-Identifier: Apache-2.0
//
// What an execution was, apart from accidents of its order: a set of events, each with the events it depends on. Two
// executions with the same set are equivalent (Mazurkiewicz): swapping neighbours that do not conflict leads from one
// to the other, so they have the same outcome.
//
// An event's hash covers what happened, who did it and, through the hashes of its predecessors, its whole past: it is
// an event of the unfolding (Rodríguez et al., Unfolding-based Partial Order Reduction, 2015). So whether an execution
// contains a given past is a matter of whether it contains the last events of that past.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace plait {

// How an event meets others at a place. Writes conflict with everything, reads with writes. kAcquire and kRelease are
// writes too: what comes after a release could not have come before it, so only an earlier acquire can be overtaken.
// kSeize is an acquire that could have come before the release as well: one that does not wait, or one on a CPU on which whoever
// had it last was, whom it would keep from releasing it.
// kGive and kTake are writes of which the second had to be made possible by the first: it can overtake writes that came
// in between only.
enum class Touch : uint8_t { kRead, kWrite, kAcquire, kSeize, kRelease, kGive, kTake };

struct Place {
  uint64_t where = 0;  // a granule, a lock, or something that the machine keeps
  Touch touch = Touch::kRead;
};

class Causality {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};
  static constexpr uint32_t kProcessesMax = 24;
  // How many events of each process are in a past.
  using Clock = std::array<uint16_t, kProcessesMax>;

  struct Event {
    uint64_t hash = 0;
    uint32_t index = 0;  // among those of its process
    uint8_t process = 0;
    uint64_t what = 0;
    uint32_t access = 0;  // its first one; they lie together
    uint32_t access_count = 0;
    uint32_t depends = 0;  // its places after so many are those only with the same predecessor at the last of these
    Clock past{};  // with itself
  };
  // `second` could have come before `first`: they conflict, and nothing else orders them.
  struct Race {
    uint32_t first = 0;
    uint32_t second = 0;
  };

  void begin();
  // The next event of a process; `what` tells it from others that the process could have done. Returns its number.
  // `depends`: see Event.
  uint32_t add(uint8_t process, uint64_t what, std::span<const Place> places, uint32_t depends = 0);
  const std::vector<Event>& events() const { return events_; }
  const std::vector<Race>& races() const { return races_; }
  // What the hash of an event would be if only those had come before it that `within` has: given the number of an event.
  template <typename Within>
  uint64_t hash_within(uint32_t number, Within within) const;
  // The past that it would have then, without itself.
  template <typename Within>
  Clock past_within(uint32_t number, Within within) const;
  // That of a first event of a process, at a place where it writes, after the events that `within` has.
  template <typename Within>
  uint64_t hash_after(uint64_t what, const Place& place, Within within) const;
  // The past that this would have.
  template <typename Within>
  Clock past_after(const Place& place, Within within) const;
  bool touches(uint32_t number, uint64_t where) const;
  // All earlier events that this one conflicts with and could have come before, where there are others in between as well.
  void conflicts(uint32_t number, std::vector<uint32_t>& found) const;
  // What released the lock that an event acquires; kNone where it acquires none, or the first time.
  uint32_t release_before(uint32_t number) const;
  // Whether the lock that an event acquires is free when so many events of each process are done.
  bool lock_is_free(uint32_t number, const Clock& done) const;
  // The event of a process with this index.
  uint32_t event_of(uint8_t process, uint32_t index) const { return events_of_[process][index]; }
  // Equal for equivalent executions.
  uint64_t hash() const { return sum_; }
  // Of the last event of a process; 0: it has none.
  uint64_t last_hash(uint8_t process) const { return last_hash_[process]; }

 private:
  struct Access {
    uint64_t where = 0;
    uint32_t event = 0;
    uint32_t before = kNone;  // the one before at this place
    Touch touch = Touch::kRead;
  };
  struct State {  // of a place
    uint64_t where = 0;
    uint32_t round = 0;  // of the table; others are empty
    uint32_t write = kNone;
    bool given = false;  // the write was a kGive
    uint32_t acquire = kNone;
    uint32_t access = kNone;  // the last one
    uint64_t readers = 0;   // processes that read since the write
    uint64_t readings = 0;  // sum of the hashes of these reads
    std::array<uint32_t, kProcessesMax> read{};
  };

  static uint64_t begin_hash(uint64_t what, uint64_t own);
  static uint64_t add_hash(uint64_t hash, uint64_t where, Touch touch, uint64_t write, uint64_t readings);
  State& state(uint64_t where);
  void grow();
  void note_races(uint32_t number, std::span<const Place> places);
  void note_access(uint32_t number, const Place& place);

  std::vector<Event> events_;
  std::vector<Race> races_;
  std::vector<Access> accesses_;
  std::array<std::vector<uint32_t>, kProcessesMax> events_of_;
  std::vector<State> table_;
  uint32_t used_ = 0;
  uint32_t round_ = 0;
  uint64_t sum_ = 0;
  std::array<uint64_t, kProcessesMax> last_hash_{};
};

template <typename Within>
uint64_t Causality::hash_within(uint32_t number, Within within) const {
  const Event& event = events_[number];
  const std::vector<uint32_t>& own = events_of_[event.process];
  uint64_t hash = begin_hash(event.what, event.index ? events_[own[event.index - 1]].hash : 0);
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    uint64_t readings = 0;
    uint64_t write = 0;
    bool same = true;
    for (uint32_t at = accesses_[i].before; at != kNone; at = accesses_[at].before) {
      const Access& access = accesses_[at];
      if (!within(access.event)) {
        same = false;
        continue;
      }
      if (access.touch != Touch::kRead) {
        write = events_[access.event].hash;
        break;
      }
      readings += events_[access.event].hash;
    }
    hash = add_hash(hash, accesses_[i].where, accesses_[i].touch, write, readings);
    if (i + 1 == event.access + event.depends && !same) break;
  }
  return hash;
}

template <typename Within>
uint64_t Causality::hash_after(uint64_t what, const Place& place, Within within) const {
  uint64_t write = 0;
  uint64_t readings = 0;
  for (size_t i = accesses_.size(); i-- > 0;) {
    const Access& access = accesses_[i];
    if (access.where != place.where || !within(access.event)) continue;
    if (access.touch != Touch::kRead) {
      write = events_[access.event].hash;
      break;
    }
    readings += events_[access.event].hash;
  }
  return add_hash(begin_hash(what, 0), place.where, place.touch, write, readings);
}

template <typename Within>
Causality::Clock Causality::past_after(const Place& place, Within within) const {
  Clock past{};
  for (size_t i = accesses_.size(); i-- > 0;) {
    const Access& access = accesses_[i];
    if (access.where != place.where || !within(access.event)) continue;
    const Clock& other = events_[access.event].past;
    for (size_t process = 0; process < past.size(); ++process) past[process] = std::max(past[process], other[process]);
    if (access.touch != Touch::kRead) break;
  }
  return past;
}

template <typename Within>
Causality::Clock Causality::past_within(uint32_t number, Within within) const {
  const Event& event = events_[number];
  Clock past{};
  if (event.index > 0) past = events_[event_of(event.process, event.index - 1)].past;
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    for (uint32_t at = accesses_[i].before; at != kNone; at = accesses_[at].before) {
      const Access& access = accesses_[at];
      if (!within(access.event)) continue;
      const bool writes = access.touch != Touch::kRead;
      if (writes || accesses_[i].touch != Touch::kRead) {
        const Clock& other = events_[access.event].past;
        for (size_t process = 0; process < past.size(); ++process) past[process] = std::max(past[process], other[process]);
      }
      if (writes) break;
    }
  }
  return past;
}

}  // namespace plait
