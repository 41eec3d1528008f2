// SPDX-License-Identifier: Apache-2.0
//
// What the headers of std::list, std::map, std::set and the unordered containers leave to functions compiled into
// libstdc++.so. Nothing announces the accesses of those, and so nothing orders, checks or undoes them. Here the same
// is done to the same structures with every access announced. Layouts and results are the library's: nodes are made
// and walked by its headers, and a hash decides where an element goes. tests/engine/runtime_test_cpp.h compares.
#include "rt.h"

namespace {

using namespace plait;

// The accesses of one call: announced as its caller's, then done. Out of line, or they are half a target's code.
struct Memory {
  uintptr_t pc;

  template <typename T>
  [[gnu::noinline]] T get(const T* at) const {
    runtime::announce<kRead>(at, sizeof *at, pc);
    return *at;
  }
  template <typename T>
  [[gnu::noinline]] void set(T* at, T value) const {
    runtime::announce<kWrite>(at, sizeof *at, pc);
    *at = value;
  }
};

// ---- std::list: a ring through the list's own head --------------------------------------------------------------

struct ListNode {
  ListNode* next;
  ListNode* prev;
};

void join(const Memory& memory, ListNode* a, ListNode* b) {
  memory.set(&a->next, b);
  memory.set(&b->prev, a);
}

// The ring from `first` to `last` gets this head instead of `former`; they are `former` itself when it was empty.
void adopt(const Memory& memory, ListNode* head, ListNode* first, ListNode* last, const ListNode* former) {
  join(memory, head, first == former ? head : first);
  if (first != former) join(memory, last, head);
}

// ---- std::map, std::set: a red-black tree -----------------------------------------------------------------------

enum Side : uint32_t { kLeft, kRight };
enum Color : uint32_t { kRed, kBlack };

constexpr Side other(Side side) { return side == kLeft ? kRight : kLeft; }

// The header too: its parent is the root, its children are the outermost nodes, and the root's parent is the header.
// It is red, so that a decrement knows it from the root.
struct TreeNode {
  Color color;
  TreeNode* parent;
  TreeNode* child[2];
};

class Tree {
 public:
  Tree(TreeNode* header, uintptr_t pc) : memory_{pc}, header_(header) {}

  void insert(TreeNode* node, TreeNode* parent, Side side) const {
    memory_.set(&node->color, kRed);
    memory_.set(&node->parent, parent);
    for (TreeNode*& child : node->child) memory_.set<TreeNode*>(&child, nullptr);
    if (parent == header_) {
      memory_.set(&header_->parent, node);
      for (TreeNode*& outermost : header_->child) memory_.set(&outermost, node);
    } else {
      memory_.set(&parent->child[side], node);
      if (child(header_, side) == parent) memory_.set(&header_->child[side], node);
    }
    separate_reds(node);
  }

  void erase(TreeNode* node) const {
    TreeNode* const left = child(node, kLeft);
    TreeNode* const right = child(node, kRight);
    if (left != nullptr && right != nullptr) {
      erase_inner(node, left, right);
    } else {
      erase_outer(node, left != nullptr ? left : right);
    }
  }

  // The next node on this side in order; from the last one, the header.
  TreeNode* neighbour(TreeNode* node, Side side) const {
    if (TreeNode* const below = child(node, side)) return outermost(below, other(side));
    TreeNode* up = parent_of(node);
    while (child(up, side) == node) {
      node = up;
      up = parent_of(up);
    }
    // From the root, when it is the last: the loop has gone on from there to the header and back to the root.
    return child(node, side) == up ? node : up;
  }

  bool is_header(const TreeNode* node) const {
    return memory_.get(&node->color) == kRed && parent_of(parent_of(node)) == node;
  }

  TreeNode* child(const TreeNode* node, Side side) const { return memory_.get(&node->child[side]); }

 private:
  TreeNode* parent_of(const TreeNode* node) const { return memory_.get(&node->parent); }
  bool is_red(const TreeNode* node) const { return node != nullptr && memory_.get(&node->color) == kRed; }
  void paint(TreeNode* node, Color color) const { memory_.set(&node->color, color); }

  TreeNode* outermost(TreeNode* node, Side side) const {
    while (TreeNode* const further = child(node, side)) node = further;
    return node;
  }

  Side side_of(const TreeNode* node, const TreeNode* parent) const {
    return child(parent, kLeft) == node ? kLeft : kRight;
  }

  void put_below(TreeNode* parent, Side side, TreeNode* node) const {
    memory_.set(&parent->child[side], node);
    if (node != nullptr) memory_.set(&node->parent, parent);
  }

  // `parent` has `node` below it instead of `former`.
  void replace(TreeNode* parent, const TreeNode* former, TreeNode* node) const {
    if (node != nullptr) memory_.set(&node->parent, parent);
    memory_.set(parent == header_ ? &header_->parent : &parent->child[side_of(former, parent)], node);
  }

  // The node sinks to this side, and its child on the other side takes its place.
  void sink(TreeNode* node, Side side) const {
    TreeNode* const riser = child(node, other(side));
    put_below(node, other(side), child(riser, side));
    replace(parent_of(node), node, riser);
    put_below(riser, side, node);
  }

  // After an insertion `node` is red, and perhaps its parent as well. A red uncle lets the grandparent take the red
  // from both, which moves the conflict up two levels; otherwise at most two rotations end it.
  void separate_reds(TreeNode* node) const {
    for (;;) {
      TreeNode* parent = parent_of(node);
      if (parent == header_ || !is_red(parent)) break;
      TreeNode* const grandparent = parent_of(parent);
      const Side side = side_of(parent, grandparent);
      TreeNode* const uncle = child(grandparent, other(side));
      if (is_red(uncle)) {
        paint(parent, kBlack);
        paint(uncle, kBlack);
        paint(grandparent, kRed);
        node = grandparent;
        continue;
      }
      if (child(parent, other(side)) == node) {
        sink(parent, side);
        parent = node;
      }
      paint(parent, kBlack);
      paint(grandparent, kRed);
      sink(grandparent, other(side));
      break;
    }
    paint(parent_of(header_), kBlack);
  }

  // With at most one child, which moves up.
  void erase_outer(TreeNode* node, TreeNode* only) const {
    TreeNode* const parent = parent_of(node);
    replace(parent, node, only);
    leave_edge(node, kLeft, only, parent);
    leave_edge(node, kRight, only, parent);
    if (!is_red(node)) restore_black(only, parent);
  }

  void leave_edge(const TreeNode* node, Side side, TreeNode* below, TreeNode* parent) const {
    if (child(header_, side) != node) return;
    memory_.set(&header_->child[side], below != nullptr ? outermost(below, side) : parent);
  }

  // With two: its successor, which has no left child, leaves its place and takes this one, with its color.
  void erase_inner(TreeNode* node, TreeNode* left, TreeNode* right) const {
    TreeNode* const successor = outermost(right, kLeft);
    TreeNode* const riser = child(successor, kRight);
    TreeNode* parent = successor;
    if (successor != right) {
      parent = parent_of(successor);
      put_below(parent, kLeft, riser);
      put_below(successor, kRight, right);
    }
    put_below(successor, kLeft, left);
    replace(parent_of(node), node, successor);
    const bool lost_black = !is_red(successor);
    paint(successor, memory_.get(&node->color));
    if (lost_black) restore_black(riser, parent);
  }

  // All paths through `node`, which may be null, have lost one black. A red node gives it back by turning black.
  void restore_black(TreeNode* node, TreeNode* parent) const {
    while (parent != header_ && !is_red(node)) {
      const Side side = side_of(node, parent);
      TreeNode* sibling = child(parent, other(side));
      if (is_red(sibling)) {
        paint(sibling, kBlack);
        paint(parent, kRed);
        sink(parent, side);
        sibling = child(parent, other(side));
      }
      TreeNode* const near = child(sibling, side);
      TreeNode* far = child(sibling, other(side));
      if (!is_red(near) && !is_red(far)) {  // the sibling's side gives up a black too: the loss moves up
        paint(sibling, kRed);
        node = parent;
        parent = parent_of(node);
        continue;
      }
      if (!is_red(far)) {
        paint(near, kBlack);
        paint(sibling, kRed);
        sink(sibling, other(side));
        far = sibling;
        sibling = near;
      }
      paint(sibling, memory_.get(&parent->color));
      paint(parent, kBlack);
      paint(far, kBlack);
      sink(parent, side);
      return;
    }
    if (node != nullptr) paint(node, kBlack);
  }

  Memory memory_;
  TreeNode* header_;
};

TreeNode* increment(const TreeNode* node, uintptr_t pc) {
  return Tree(nullptr, pc).neighbour(const_cast<TreeNode*>(node), kRight);
}

TreeNode* decrement(const TreeNode* node, uintptr_t pc) {
  const Tree tree(nullptr, pc);
  if (tree.is_header(node)) return tree.child(node, kRight);
  return tree.neighbour(const_cast<TreeNode*>(node), kLeft);
}

// ---- unordered containers ---------------------------------------------------------------------------------------

struct RehashPolicy {
  float max_load;
  size_t next_resize;
};
struct Rehash {
  bool wanted;
  size_t buckets;
};

// The library computes on a copy: which primes it takes is its business, and the table of them is not exported. It
// writes back for more `elements` than were foreseen, and then even what is there already.
template <typename Call>
auto with_copy(RehashPolicy* policy, const void* real, size_t elements, uintptr_t pc, Call call) {
  if (real == nullptr) {
    plait_rt_die(Death::kTerminate, "unordered container without the C++ library: link it (-Wl,--no-as-needed)",
                 nullptr, 0, pc);
  }
  const Memory memory{pc};
  RehashPolicy copy;
  copy.max_load = memory.get(&policy->max_load);
  copy.next_resize = memory.get(&policy->next_resize);
  const size_t before = copy.next_resize;
  const auto result = call(&copy);
  if (elements > before || copy.next_resize != before) memory.set(&policy->next_resize, copy.next_resize);
  return result;
}

// 64-bit MurmurHash2 as libstdc++ has it.
constexpr uint64_t kMurmur = 0xc6a4a7935bd1e995;
constexpr uint64_t fold(uint64_t word) { return word ^ word >> 47; }

// At most a granule, as a little-endian number.
uint64_t bytes_at(const unsigned char* at, size_t size, uintptr_t pc) {
  runtime::announce<kRead>(at, size, pc);
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) {
    PLAIT_PLAIN_LOOP;
    word |= uint64_t{at[i]} << (8 * i);
  }
  return word;
}

uint64_t hash(const unsigned char* at, size_t size, uint64_t seed, uintptr_t pc) {
  uint64_t result = seed ^ size * kMurmur;
  for (; size >= runtime::kGranule; at += runtime::kGranule, size -= runtime::kGranule) {
    result = (result ^ fold(bytes_at(at, runtime::kGranule, pc) * kMurmur) * kMurmur) * kMurmur;
  }
  if (size != 0) result = (result ^ bytes_at(at, size, pc)) * kMurmur;
  return fold(fold(result) * kMurmur);
}

}  // namespace

extern "C" {

void __wrap__ZNSt8__detail15_List_node_base7_M_hookEPS0_(ListNode* node, ListNode* position) {
  const Memory memory{PLAIT_CALLER_PC};
  ListNode* const before = memory.get(&position->prev);
  memory.set(&node->next, position);
  memory.set(&node->prev, before);
  memory.set(&before->next, node);
  memory.set(&position->prev, node);
}

void __wrap__ZNSt8__detail15_List_node_base9_M_unhookEv(ListNode* node) {
  const Memory memory{PLAIT_CALLER_PC};
  ListNode* const next = memory.get(&node->next);
  join(memory, memory.get(&node->prev), next);
}

// [first, last) moves to before `position`, from anywhere.
void __wrap__ZNSt8__detail15_List_node_base11_M_transferEPS0_S1_(ListNode* position, ListNode* first, ListNode* last) {
  if (position == last) return;
  const Memory memory{PLAIT_CALLER_PC};
  ListNode* const tail = memory.get(&last->prev);
  ListNode* const left_behind = memory.get(&first->prev);
  ListNode* const before = memory.get(&position->prev);
  join(memory, left_behind, last);
  join(memory, before, first);
  join(memory, tail, position);
}

void __wrap__ZNSt8__detail15_List_node_base10_M_reverseEv(ListNode* head) {
  const Memory memory{PLAIT_CALLER_PC};
  ListNode* node = head;
  do {
    ListNode* const next = memory.get(&node->next);
    memory.set(&node->next, memory.get(&node->prev));
    memory.set(&node->prev, next);
    node = next;
  } while (node != head);
}

void __wrap__ZNSt8__detail15_List_node_base4swapERS0_S1_(ListNode* a, ListNode* b) {
  const Memory memory{PLAIT_CALLER_PC};
  ListNode *const a_first = memory.get(&a->next), *const b_first = memory.get(&b->next);
  if (a == b || (a_first == a && b_first == b)) return;
  ListNode *const a_last = memory.get(&a->prev), *const b_last = memory.get(&b->prev);
  adopt(memory, a, b_first, b_last, b);
  adopt(memory, b, a_first, a_last, a);
}

void __wrap__ZSt29_Rb_tree_insert_and_rebalancebPSt18_Rb_tree_node_baseS0_RS_(bool left, TreeNode* node,
                                                                              TreeNode* parent, TreeNode* header) {
  Tree(header, PLAIT_CALLER_PC).insert(node, parent, left ? kLeft : kRight);
}
TreeNode* __wrap__ZSt28_Rb_tree_rebalance_for_erasePSt18_Rb_tree_node_baseRS_(TreeNode* node, TreeNode* header) {
  Tree(header, PLAIT_CALLER_PC).erase(node);
  return node;
}
TreeNode* __wrap__ZSt18_Rb_tree_incrementPSt18_Rb_tree_node_base(TreeNode* node) {
  return increment(node, PLAIT_CALLER_PC);
}
const TreeNode* __wrap__ZSt18_Rb_tree_incrementPKSt18_Rb_tree_node_base(const TreeNode* node) {
  return increment(node, PLAIT_CALLER_PC);
}
TreeNode* __wrap__ZSt18_Rb_tree_decrementPSt18_Rb_tree_node_base(TreeNode* node) {
  return decrement(node, PLAIT_CALLER_PC);
}
const TreeNode* __wrap__ZSt18_Rb_tree_decrementPKSt18_Rb_tree_node_base(const TreeNode* node) {
  return decrement(node, PLAIT_CALLER_PC);
}

size_t __wrap__ZSt11_Hash_bytesPKvmm(const void* at, size_t size, size_t seed) {
  return hash(static_cast<const unsigned char*>(at), size, seed, PLAIT_CALLER_PC);
}

Rehash __real__ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehashEmmm(RehashPolicy*, size_t, size_t, size_t)
    __attribute__((weak));
size_t __real__ZNKSt8__detail20_Prime_rehash_policy11_M_next_bktEm(RehashPolicy*, size_t) __attribute__((weak));

Rehash __wrap__ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehashEmmm(RehashPolicy* policy, size_t buckets,
                                                                        size_t elements, size_t more) {
  constexpr auto* real = __real__ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehashEmmm;
  return with_copy(policy, reinterpret_cast<const void*>(real), elements + more, PLAIT_CALLER_PC,
                   [=](RehashPolicy* copy) { return real(copy, buckets, elements, more); });
}
size_t __wrap__ZNKSt8__detail20_Prime_rehash_policy11_M_next_bktEm(RehashPolicy* policy, size_t least) {
  constexpr auto* real = __real__ZNKSt8__detail20_Prime_rehash_policy11_M_next_bktEm;
  return with_copy(policy, reinterpret_cast<const void*>(real), SIZE_MAX, PLAIT_CALLER_PC,
                   [=](RehashPolicy* copy) { return real(copy, least); });
}
}
