#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "anneal/ir/program.hpp"

namespace anneal {

// Positions of nodes in a program's order, by node id (-1: not in the order).
inline std::vector<int32_t> positions_of(const Program& program) {
  std::vector<int32_t> position(static_cast<size_t>(program.node_count()), -1);
  for (size_t i = 0; i < program.order.size(); ++i)
    position[static_cast<size_t>(program.order[i])] = static_cast<int32_t>(i);
  return position;
}

// New nodes to go before or after existing ones, applied in one sweep.
class Insertions {
 public:
  std::vector<NodeId>& before(NodeId n) { return before_[n]; }
  std::vector<NodeId>& after(NodeId n) { return after_[n]; }
  void apply(Program& program) {
    std::vector<NodeId> order;
    auto append = [&](const auto& map, NodeId n) {
      if (auto it = map.find(n); it != map.end())
        order.insert(order.end(), it->second.begin(), it->second.end());
    };
    for (NodeId n : program.order) {
      append(before_, n);
      order.push_back(n);
      append(after_, n);
    }
    program.order = std::move(order);
  }

 private:
  std::unordered_map<NodeId, std::vector<NodeId>> before_, after_;
};

// Removes from the order the nodes for which `drop` holds.
template <class F>
void erase_nodes(Program& program, F drop) {
  std::erase_if(program.order, drop);
}

}  // namespace anneal
