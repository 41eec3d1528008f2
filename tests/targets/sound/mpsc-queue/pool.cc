// SPDX-License-Identifier: Apache-2.0
//
// Producers exchange the tail and link afterwards, so for a moment the queue is torn in two. Who consumes sees that and
// comes again; a link that is there was released after what lies behind it (Vyukov's intrusive queue).
#include <atomic>

#include "../common/list.h"

namespace {

struct Node { std::atomic<Node*> next; };
static_assert(sizeof(Node) <= kObjectBytes);
Node stub;
std::atomic<Node*> tail;  // where producers append
Node* head;               // the worker's
std::atomic<uint32_t> queued;
plait_wait_queue_t work;

void append(Node* node) {
  node->next.store(nullptr, std::memory_order_relaxed);
  Node* const before = tail.exchange(node, std::memory_order_acq_rel);
  before->next.store(node, std::memory_order_release);
}

// Null: empty, or torn for a moment.
Node* pop() {
  Node* first = head;
  Node* next = first->next.load(std::memory_order_acquire);
  if (first == &stub) {
    if (next == nullptr) return nullptr;
    head = first = next;
    next = first->next.load(std::memory_order_acquire);
  }
  if (next == nullptr) {
    if (first != tail.load(std::memory_order_acquire)) return nullptr;
    append(&stub);
    next = first->next.load(std::memory_order_acquire);
    if (next == nullptr) return nullptr;
  }
  head = next;
  return first;
}

void worker(void*) {
  for (;;) {
    plait_wait_prepare(&work);
    if (queued.load(std::memory_order_acquire) == 0) plait_wait_commit(&work); else plait_wait_cancel(&work);
    while (queued.load(std::memory_order_acquire) != 0) {
      if (Node* const node = pop()) {
        queued.fetch_sub(1, std::memory_order_relaxed);
        give(reinterpret_cast<Object*>(node));
      } else {
        plait_relax();
      }
    }
  }
}

void init() {
  head = &stub;
  tail.store(&stub, std::memory_order_relaxed);
  plait_worker_start(0, worker, nullptr);
}

void* pool_alloc(size_t) { return take(); }

int pool_free(void* object) {
  append(static_cast<Node*>(object));
  queued.fetch_add(1, std::memory_order_release);
  plait_wake_one(&work);
  return 0;
}

void pool_check() {
  PLAIT_INVARIANT(queued.load() == 0);
  report_list();
}

}  // namespace

PLAIT_TARGET(.init = init, .alloc = pool_alloc, .free = pool_free, .check = pool_check, .size_max = kObjectBytes,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
