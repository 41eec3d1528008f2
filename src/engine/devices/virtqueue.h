// SPDX-License-Identifier: Apache-2.0
//
// The device's side of a virtqueue, split or packed (virtio 1.3, 2.7 and 2.8), as an actor: it looks at the ring, reads
// one descriptor a step, serves and returns chains in whichever order the schedule picks, and checks on the way that the
// driver keeps the protocol.
//
// Of itself a device finishes what it has begun: notify, return what is served, read on, serve the oldest, look again.
// Asleep it looks only after a kick. Before it falls asleep it allows notifications again and looks once more.
#pragma once

#include <cstdint>
#include <vector>

#include "devices/chain.h"
#include "devices/ring.h"
#include "machine/device.h"

namespace plait::virtio {

// What the driver set up by the registers.
struct QueueSetup {
  static constexpr uint16_t kNoVector = 0xffff;
  uint16_t number = 0;
  uint16_t size = 0;
  uint16_t vector = kNoVector;
  bool enabled = false;
  uint64_t table = 0;
  uint64_t available = 0;
  uint64_t used = 0;
  bool running = false;  // DRIVER_OK
  bool packed = false;    // negotiated
  bool indirect = false;  // negotiated
  bool event_index = false;
  bool suppression = false;  // the device makes use of NO_NOTIFY
};

class Virtqueue final : public Device {
 public:
  explicit Virtqueue(Backend& backend) : backend_(backend) {}

  QueueSetup& setup() { return setup_; }
  const QueueSetup& setup() const { return setup_; }
  void reset();     // the registers too
  void snapshot();  // executions begin as it is now
  void kick() {
    awake_ = true;
    armed_ = false;
  }
  bool has_unseen() const;  // the device wants what is on the available ring, and does not know of it

  void begin() override;
  bool enabled() const override { return next() != Next::kNothing; }
  bool awake() const override { return awake_ || more_to_fetch(); }
  uint32_t others(std::span<uint8_t> into) const override;
  uint32_t blocked(std::span<uint8_t> into) const override;
  void meet_blocked(Io& io, uint8_t choice) const override;
  void step(Machine& machine, uint8_t choice) override;
  DeviceStep next_step(uint8_t choice) const override;

 private:
  enum class Next : uint8_t { kNothing, kNotify, kPublish, kFetch, kServe, kArm, kLook };
  struct Act {
    Next what;
    uint32_t index = 0;  // of the open chain
  };
  // Activities: one goes along the ring, one tells the driver, and each chain is one.
  static constexpr uint32_t kOnRing = 0;
  static constexpr uint32_t kTelling = 1;
  static constexpr uint32_t kFirstChain = 2;
  static constexpr uint8_t kOtherFetch = 255;
  static constexpr uint8_t kOtherLook = 254;
  static constexpr uint32_t kOthersMax = 200;

  Next next() const;
  Act act(uint8_t choice) const;
  bool more_to_fetch() const { return fetching_ || published_ != seen_; }
  uint32_t first(bool served) const;  // of the open chains; their number when there is none
  uint32_t needs() const { return backend_.needs(setup_.number, open_, first(false)); }
  void look(Io& io);
  void arm(Io& io);
  void fetch(Io& io);
  bool begin_chain(Io& io);
  void looked();
  void meet_arrivals(Io& io) const;  // arrivals.cc
  // packed_queue.cc
  uint64_t packed_descriptor(PackedPlace place) const { return setup_.table + kDescriptorBytes * place.offset; }
  uint16_t packed_available_flags() const;
  void look_packed(Io& io);
  void arm_packed(Io& io);
  void fetch_packed(Io& io);
  bool read_packed(Io& io);
  void publish_packed(Io& io, std::span<const Chain> chains);
  bool wanted_packed(Io& io, uint64_t& address, uint16_t& word);
  bool read_descriptor(Io& io);
  bool add_segment(Io& io, const Descriptor& descriptor);
  void serve(Io& io, uint32_t index);
  void publish(Io& io, uint32_t index);
  void publish_split(Io& io, std::span<const Chain> chains);
  void notify(Io& io);
  uint16_t read16(Io& io, uint64_t address, bool marked);
  void write16(Io& io, uint64_t address, uint16_t value, uint32_t access);
  Chain& spare();

  Backend& backend_;
  QueueSetup setup_;
  // Since the snapshot.
  uint16_t taken_count_ = 0;  // chains
  uint16_t seen_ = 0;       // available index up to which chains were taken
  uint16_t published_ = 0;  // and as last read
  uint16_t used_ = 0;
  PackedPlace take_;        // of a packed ring: what is looked at next
  PackedPlace give_;        // and what is returned next
  uint16_t moved_ = 0;      // descriptors returned since the driver's wish was last looked at
  uint16_t told_ = 0;       // used index when the driver's wish was last looked at
  bool awake_ = false;
  bool armed_ = false;   // notifications are allowed, and nothing was new since
  bool to_arm_ = false;
  bool quiet_ = false;   // NO_NOTIFY is set
  bool owes_ = false;    // used_ moved, and whether the driver wants to know was not looked at
  bool fetching_ = false;
  bool awake_at_start_ = false;
  Chain chain_;            // being fetched
  uint64_t table_ = 0;     // that its next descriptor is read from
  uint32_t table_size_ = 0;
  Segment table_memory_;   // of an indirect table
  uint16_t next_ = 0;
  bool in_table_ = false;   // of a packed ring
  std::vector<Chain> open_;  // fetched, not returned
  std::vector<bool> taken_;  // descriptors of open chains
  std::vector<Chain> spares_;
  std::vector<Chain*> together_;  // that are served
  std::vector<Chain> leaving_;    // that are returned
  uint32_t groups_ = 0;
};

}  // namespace plait::virtio
