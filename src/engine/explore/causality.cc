// SPDX-License-Identifier: Apache-2.0
#include "explore/causality.h"

#include <algorithm>

#include "base/prng.h"

namespace plait {
namespace {

constexpr size_t kTableFirst = 1024;

void join(Causality::Clock& clock, const Causality::Clock& other) {
  for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

// On which CPU it was tried is no part of what was done; neither is whether something was possible already.
Touch plain(Touch touch) {
  if (touch == Touch::kGive || touch == Touch::kTake) return Touch::kWrite;
  return touch == Touch::kSeize ? Touch::kAcquire : touch;
}

bool acquires(Touch touch) { return touch == Touch::kAcquire || touch == Touch::kSeize; }

}  // namespace

void Causality::begin() {
  events_.clear();
  races_.clear();
  if (table_.empty()) table_.resize(kTableFirst);
  ++round_;
  used_ = 0;
  sum_ = 0;
  last_hash_.fill(0);
  accesses_.clear();
  for (std::vector<uint32_t>& own : events_of_) own.clear();
}

Causality::State& Causality::state(uint64_t where) {
  if (used_ * 2 >= table_.size()) grow();
  const size_t mask = table_.size() - 1;
  for (size_t at = mix(0x706c616365, where) & mask;; at = (at + 1) & mask) {
    State& state = table_[at];
    if (state.round == round_ && state.where != where) continue;
    if (state.round != round_) {
      state.where = where;
      state.round = round_;
      state.write = state.acquire = state.access = kNone;
      state.readers = state.readings = 0;
      state.given = false;
      ++used_;
    }
    return state;
  }
}

void Causality::grow() {
  std::vector<State> old(table_.size() * 2);
  old.swap(table_);
  const size_t mask = table_.size() - 1;
  for (const State& state : old) {
    if (state.round != round_) continue;
    size_t at = mix(0x706c616365, state.where) & mask;
    while (table_[at].round == round_) at = (at + 1) & mask;
    table_[at] = state;
  }
}

uint64_t Causality::begin_hash(uint64_t what, uint64_t own) { return mix(what, own); }

uint64_t Causality::add_hash(uint64_t hash, uint64_t where, Touch touch, uint64_t write, uint64_t readings) {
  if (touch == Touch::kRead) readings = 0;
  return mix(mix(hash, where), mix(mix(write, readings), static_cast<uint64_t>(plain(touch))));
}

uint32_t Causality::add(uint8_t process, uint64_t what, std::span<const Place> places, uint32_t depends) {
  const auto number = static_cast<uint32_t>(events_.size());
  std::vector<uint32_t>& own = events_of_[process];
  Event& event = events_.emplace_back();
  event.process = process;
  event.index = static_cast<uint32_t>(own.size());
  event.what = what;
  event.depends = depends;
  event.access = static_cast<uint32_t>(accesses_.size());
  event.access_count = static_cast<uint32_t>(places.size());
  if (!own.empty()) event.past = events_[own.back()].past;
  note_races(number, places);
  uint64_t hash = begin_hash(what, own.empty() ? 0 : events_[own.back()].hash);
  for (const Place& place : places) {
    State& state = this->state(place.where);
    if (state.write != kNone) join(event.past, events_[state.write].past);
    if (place.touch != Touch::kRead) {
      for (uint64_t left = state.readers; left != 0; left &= left - 1) {
        join(event.past, events_[state.read[static_cast<size_t>(__builtin_ctzll(left))]].past);
      }
    }
    hash = add_hash(hash, place.where, place.touch, state.write != kNone ? events_[state.write].hash : 0, state.readings);
  }
  event.hash = hash;
  own.push_back(number);
  event.past[process] = static_cast<uint16_t>(own.size());
  for (const Place& place : places) note_access(number, place);
  last_hash_[process] = hash;
  sum_ += mix(0x6576656e74, hash);
  return number;
}

bool Causality::touches(uint32_t number, uint64_t where) const {
  const Event& event = events_[number];
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    if (accesses_[i].where == where) return true;
  }
  return false;
}

void Causality::conflicts(uint32_t number, std::vector<uint32_t>& found) const {
  found.clear();
  const Event& event = events_[number];
  const Clock before = event.index == 0 ? Clock{} : events_[event_of(event.process, event.index - 1)].past;
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    const Touch touch = accesses_[i].touch;
    for (uint32_t at = accesses_[i].before; at != kNone; at = accesses_[at].before) {
      const Access& access = accesses_[at];
      const Event& other = events_[access.event];
      if (other.process == event.process || before[other.process] > other.index) continue;
      if (touch == Touch::kRead && access.touch == Touch::kRead) continue;
      if (touch == Touch::kAcquire && !acquires(access.touch)) continue;
      if (touch == Touch::kRelease && access.touch != Touch::kSeize) continue;
      if (touch == Touch::kTake && access.touch == Touch::kGive) break;
      if (std::find(found.begin(), found.end(), access.event) == found.end()) found.push_back(access.event);
    }
  }
}

uint32_t Causality::release_before(uint32_t number) const {
  const Event& event = events_[number];
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    const Access& access = accesses_[i];
    if (!acquires(access.touch)) continue;
    if (access.before != kNone && accesses_[access.before].touch == Touch::kRelease) return accesses_[access.before].event;
  }
  return kNone;
}

bool Causality::lock_is_free(uint32_t number, const Clock& done) const {
  const Event& event = events_[number];
  for (uint32_t i = event.access; i < event.access + event.access_count; ++i) {
    if (!acquires(accesses_[i].touch)) continue;
    for (uint32_t at = accesses_[i].before; at != kNone; at = accesses_[at].before) {
      const Event& other = events_[accesses_[at].event];
      if (other.index < done[other.process]) return accesses_[at].touch == Touch::kRelease;
    }
  }
  return true;
}

void Causality::note_access(uint32_t number, const Place& place) {
  const Event& event = events_[number];
  State& state = this->state(place.where);
  accesses_.push_back({place.where, number, state.access, place.touch});
  state.access = static_cast<uint32_t>(accesses_.size() - 1);
  if (place.touch == Touch::kRead) {
    state.readings += event.hash;
    state.readers |= uint64_t{1} << event.process;
    state.read[event.process] = number;
    return;
  }
  state.write = number;
  state.given = place.touch == Touch::kGive;
  state.readers = state.readings = 0;
  if (acquires(place.touch)) state.acquire = number;
}

// Before the event is noted: its past is still that of its process.
void Causality::note_races(uint32_t number, std::span<const Place> places) {
  const Clock before = events_[number].past;
  struct Edge {
    uint32_t from;
    uint64_t where;
    bool overtaken;  // by the event, if nothing else is in between
    bool acquire;    // then the release of it is nothing in between
    bool needed;     // it made the event possible
  };
  std::array<Edge, 64> edges{};
  size_t count = 0;
  const auto add_edge = [&](uint32_t from, uint64_t where, bool overtaken, bool acquire, bool needed = false) {
    if (from == kNone || events_[from].process == events_[number].process) return;
    for (size_t i = 0; i < count; ++i) {
      if (edges[i].from != from) continue;
      edges[i].overtaken = edges[i].overtaken || overtaken;
      edges[i].needed = edges[i].needed || needed;
      return;
    }
    if (count < edges.size()) edges[count++] = {from, where, overtaken, acquire, needed};
  };
  for (const Place& place : places) {
    State& state = this->state(place.where);
    if (acquires(place.touch)) add_edge(state.acquire, place.where, true, true);
    if (place.touch == Touch::kAcquire && state.acquire != kNone) continue;  // the release could not be overtaken
    const bool needs = place.touch == Touch::kTake && state.given;
    // A release comes before nobody's acquisition but one that failed because it had not come.
    const bool failed = state.access != kNone && accesses_[state.access].touch == Touch::kSeize;
    add_edge(state.write, place.where, place.touch != Touch::kRelease || failed, false, needs);
    if (place.touch == Touch::kRead) continue;
    for (uint64_t left = state.readers; left != 0; left &= left - 1) {
      add_edge(state.read[static_cast<size_t>(__builtin_ctzll(left))], place.where, true, false);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Event& first = events_[edges[i].from];
    if (!edges[i].overtaken || edges[i].needed || before[first.process] > first.index) continue;
    bool ordered = false;
    for (size_t k = 0; k < count && !ordered; ++k) {
      if (k == i || (edges[i].acquire && edges[k].where == edges[i].where)) continue;
      ordered = events_[edges[k].from].past[first.process] > first.index;
    }
    if (!ordered) races_.push_back({edges[i].from, number});
  }
}

}  // namespace plait
