// SPDX-License-Identifier: Apache-2.0
//
// The full record of one execution, made only when somebody wants to read it or to compare trace hashes. A write's
// value is known only after the instruction has run, so the last event stays open until the next one begins.
#pragma once

#include <cstdint>
#include <vector>

#include "base/prng.h"
#include "trace/event.h"

namespace plait {

class Recorder {
 public:
  void begin(bool keep_events) {
    keep_ = keep_events;
    events_.clear();
    hash_ = 0x706c616974u;
    open_ = false;
  }

  void add(const Event& event) {
    close(0, false);
    last_ = event;
    open_ = true;
  }
  // Gives the open event its value.
  void set_value(uint64_t encoded) {
    last_.value = encoded;
    last_.has_value = true;
  }
  void set_arg(int64_t arg) {
    last_.arg = arg;
    last_.has_arg = true;
  }
  void set_kind(EventKind kind) { last_.kind = kind; }
  bool open() const { return open_; }
  const Event& last() const { return last_; }

  void close(uint64_t value, bool has_value) {
    if (!open_) return;
    open_ = false;
    if (has_value) set_value(value);
    hash_ = mix(hash_, uint64_t(last_.kind) | uint64_t(uint16_t(last_.context)) << 8 | uint64_t(last_.cpu) << 24 |
                           uint64_t(last_.size) << 32);
    hash_ = mix(hash_, last_.address);
    hash_ = mix(hash_, last_.has_value ? last_.value : 0);
    hash_ = mix(hash_, last_.pc ^ uint64_t(last_.arg) << 40);
    if (keep_) events_.push_back(last_);
  }

  uint64_t hash() const { return hash_; }
  const std::vector<Event>& events() const { return events_; }

 private:
  std::vector<Event> events_;
  Event last_;
  uint64_t hash_ = 0;
  bool open_ = false;
  bool keep_ = false;
};

}  // namespace plait
