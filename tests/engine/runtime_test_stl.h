// SPDX-License-Identifier: Apache-2.0
//
// The nodes of lists and trees, moved by the runtime in the C++ library's place. This program has the library's own
// functions, so it compares: the same structure after every call. And each call is undone from its announcements alone,
// which shows that none is missing and none comes too late.
#pragma once

#include <list>
#include <map>
#include <random>
#include <set>

#include "runtime_test_build.h"

namespace {

// Does it, and says whether the announcements were enough to undo it. Then it is done again.
template <typename Call>
bool undoable(void* memory, size_t size, Call call) {
  auto* const bytes = static_cast<unsigned char*>(memory);
  const std::vector<unsigned char> before(bytes, bytes + size);
  g.events.clear();
  call();
  const std::vector<unsigned char> after(bytes, bytes + size);
  bool inside_it = true;
  for (size_t i = g.events.size(); i-- > 0;) {
    const Event& e = g.events[i];
    inside_it = inside_it && e.address - reinterpret_cast<uintptr_t>(memory) <= size - e.size;
    if ((e.kind & kWrite) != 0) std::memcpy(reinterpret_cast<void*>(e.address), &e.before, e.size);
  }
  const bool undone = std::memcmp(bytes, before.data(), size) == 0;
  std::memcpy(bytes, after.data(), size);
  return undone && inside_it;
}

// Two of them, of the target and of the library, and what stands at the same place in the other.
template <typename Nodes>
struct Pair {
  Nodes tested, real;
  template <typename Node>
  Node* twin(Node* node) {
    return reinterpret_cast<Node*>(reinterpret_cast<char*>(node) +
                                   (reinterpret_cast<char*>(&real) - reinterpret_cast<char*>(&tested)));
  }
  template <typename Node>
  bool match(Node* tested_link, Node* real_link) {
    return tested_link == nullptr ? real_link == nullptr : twin(tested_link) == real_link;
  }
};

// ---- red-black trees

using TreeNode = std::_Rb_tree_node_base;
struct TreeNodes {
  TreeNode header, nodes[200];
};
Pair<TreeNodes> g_trees;

bool trees_match(const std::set<size_t>& keys) {
  const auto match = [](TreeNode& node) {
    const TreeNode& other = *g_trees.twin(&node);
    return node._M_color == other._M_color && g_trees.match(node._M_parent, other._M_parent) &&
           g_trees.match(node._M_left, other._M_left) && g_trees.match(node._M_right, other._M_right);
  };
  return match(g_trees.tested.header) &&
         std::all_of(keys.begin(), keys.end(), [&](size_t key) { return match(g_trees.tested.nodes[key]); });
}

// Is in the tree from now on if it was not, and the other way round.
void toggle(const Module& m, std::set<size_t>& keys, size_t key) {
  TreeNodes& tree = g_trees.tested;
  TreeNode *const node = &tree.nodes[key], *const header = &tree.header;
  if (keys.erase(key) != 0) {
    const auto erase = m.get<TreeNode*(TreeNode*, TreeNode*)>("tree_erase");
    EXPECT(undoable(&tree, sizeof tree, [&] { EXPECT(erase(node, header) == node); }));
    EXPECT(std::_Rb_tree_rebalance_for_erase(g_trees.twin(node), g_trees.real.header) == g_trees.twin(node));
  } else {
    keys.insert(key);
    TreeNode* parent = header;
    bool left = true;
    for (TreeNode* at = header->_M_parent; at != nullptr; at = left ? at->_M_left : at->_M_right) {
      parent = at;
      left = node < at;
    }
    const auto insert = m.get<void(bool, TreeNode*, TreeNode*, TreeNode*)>("tree_insert");
    EXPECT(undoable(&tree, sizeof tree, [&] { insert(left, node, parent, header); }));
    std::_Rb_tree_insert_and_rebalance(left, g_trees.twin(node), g_trees.twin(parent), g_trees.real.header);
  }
  EXPECT(!g.events.empty() && inside(g.events[0].pc, m, keys.count(key) != 0 ? "tree_insert" : "tree_erase"));
  EXPECT(trees_match(keys));
}

template <typename Node>
void walk(const Module& m, const std::set<size_t>& keys, const char* next_name, const char* previous_name) {
  const auto next = m.get<Node*(Node*)>(next_name), previous = m.get<Node*(Node*)>(previous_name);
  TreeNodes& tree = g_trees.tested;
  Node* at = tree.header._M_left;
  for (const size_t key : keys) {
    EXPECT(at == &tree.nodes[key]);
    EXPECT(undoable(&tree, sizeof tree, [&] { at = next(at); }) && !g.events.empty());
  }
  EXPECT(at == &tree.header);
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) EXPECT((at = previous(at)) == &tree.nodes[*key]);
}

void test_trees(const Module& m) {
  std::mt19937 random(1);
  for (const size_t size : {1, 2, 3, 4, 7, 12, 40, 200}) {
    for (TreeNodes* tree : {&g_trees.tested, &g_trees.real}) {
      std::memset(static_cast<void*>(tree), 0, sizeof *tree);
      tree->header._M_left = tree->header._M_right = &tree->header;
    }
    std::vector<size_t> program(3000);
    for (size_t& key : program) key = random() % size;
    for (int round = 0; round < 4; ++round) {  // in and out, upwards, then downwards
      for (size_t i = 0; i < size; ++i) program.push_back(round < 2 ? i : size - 1 - i);
    }
    std::set<size_t> keys;
    for (size_t i = 0; i < program.size(); ++i) {
      if (i == 3000) {  // first empty it
        while (!keys.empty()) toggle(m, keys, *std::next(keys.begin(), static_cast<long>(random() % keys.size())));
      }
      toggle(m, keys, program[i]);
      if (i % (1 + size / 4) != 0) continue;
      walk<TreeNode>(m, keys, "tree_next", "tree_previous");
      walk<const TreeNode>(m, keys, "tree_const_next", "tree_const_previous");
    }
    EXPECT(keys.empty() && g_trees.tested.header._M_parent == nullptr);
  }
}

// ---- lists

using ListNode = std::__detail::_List_node_base;
struct ListNodes {
  ListNode heads[2], nodes[12];
};
Pair<ListNodes> g_lists;

// Random steps through both. A node that is in neither list has no next one.
struct Lists {
  const Module& m;
  std::mt19937 random{2};
  ListNodes& tested = g_lists.tested;

  size_t below(size_t n) { return random() % n; }
  ListNode* any_of(ListNode* head) {
    for (size_t steps = below(14); steps > 0; --steps) head = head->_M_next;
    return head;
  }
  bool is_in(const ListNode* node) const { return node->_M_next != nullptr; }

  template <typename... Nodes>
  void call(const char* name, Nodes... nodes) {
    EXPECT(undoable(&tested, sizeof tested, [&] { m.get<void(Nodes...)>(name)(nodes...); }));
    for (const Event& e : g.events) EXPECT(e.size == 8 && inside(e.pc, m, name));
  }

  void hook_or_unhook(ListNode* node) {
    if (is_in(node)) {
      call("list_unhook", node);
      g_lists.twin(node)->_M_unhook();
      node->_M_next = g_lists.twin(node)->_M_next = nullptr;
    } else {
      ListNode* const at = any_of(&tested.heads[below(2)]);
      call("list_hook", node, at);
      g_lists.twin(node)->_M_hook(g_lists.twin(at));
    }
  }

  // Part of a list to a place in the other, or in the rest of its own.
  void transfer(ListNode* head) {
    ListNode* const first = any_of(head);
    if (first == head) return;
    ListNode* last = first->_M_next;
    while (last != head && below(3) != 0) last = last->_M_next;
    ListNode* at = any_of(&tested.heads[below(2)]);
    for (const ListNode* moved = first; moved != last; moved = moved->_M_next) {
      if (at == moved) at = last;
    }
    call("list_transfer", at, first, last);
    g_lists.twin(at)->_M_transfer(g_lists.twin(first), g_lists.twin(last));
  }

  void step() {
    ListNode *const a = &tested.heads[0], *const b = &tested.heads[1];
    switch (below(8)) {
      case 0:
        call("list_reverse", a);
        return g_lists.twin(a)->_M_reverse();
      case 1:
        call("list_swap", a, b);
        return ListNode::swap(*g_lists.twin(a), *g_lists.twin(b));
      case 2:
      case 3:
        return transfer(below(2) != 0 ? a : b);
      default:
        return hook_or_unhook(&tested.nodes[below(std::size(tested.nodes))]);
    }
  }

  bool match() {
    const auto same = [&](ListNode& node) {
      const ListNode& other = *g_lists.twin(&node);
      return is_in(&node) ? g_lists.match(node._M_next, other._M_next) && g_lists.match(node._M_prev, other._M_prev)
                          : other._M_next == nullptr;
    };
    return std::all_of(std::begin(tested.heads), std::end(tested.heads), same) &&
           std::all_of(std::begin(tested.nodes), std::end(tested.nodes), same);
  }
};

void test_lists(const Module& m) {
  for (ListNodes* lists : {&g_lists.tested, &g_lists.real}) {
    std::memset(static_cast<void*>(lists), 0, sizeof *lists);
    for (ListNode& head : lists->heads) head._M_next = head._M_prev = &head;
  }
  Lists lists{m};
  for (int i = 0; i < 20'000; ++i) {
    lists.step();
    EXPECT(lists.match());
  }
}

}  // namespace
