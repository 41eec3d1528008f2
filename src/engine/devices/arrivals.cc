// SPDX-License-Identifier: Apache-2.0
//
// The part of a virtqueue's device side that is of queues on which nothing is begun before something has come in from
// outside: for exhaustive search, which has to know what such an arrival makes possible and what uses it up.
#include "devices/virtqueue.h"

namespace plait::virtio {

// What was begun because something had arrived would not have been before.
void Virtqueue::meet_arrivals(Io& io) const {
  if (backend_.waits(setup_.number)) io.meet(Meeting::What::kArrivals, setup_.number, Meeting::How::kTake);
}

uint32_t Virtqueue::blocked(std::span<uint8_t> into) const {
  if (!setup_.running || !setup_.enabled || !backend_.waits(setup_.number) || needs() != 0) return 0;
  uint32_t count = 0;
  for (uint32_t i = 0; i < open_.size() && i < kOthersMax; ++i) {
    if (!open_[i].served) into[count++] = static_cast<uint8_t>(i + 1);
  }
  if (!fetching_ && awake()) into[count++] = more_to_fetch() ? kOtherFetch : kOtherLook;
  return count;
}

void Virtqueue::meet_blocked(Io& io, uint8_t choice) const {
  io.meet(Meeting::What::kArrivals, setup_.number, Meeting::How::kRead);
  if (choice <= kOthersMax) io.meet(Meeting::What::kChain, open_[choice - 1u].serial, Meeting::How::kTake);
}

}  // namespace plait::virtio
