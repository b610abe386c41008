#include <algorithm>

#include "anneal/passes/liveness.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Orders the nodes of each program so that memory is released early: a list schedule that, among
// the nodes that could run, takes the one that frees most (then the earliest). It replaces the
// order of the program only where that lowers the peak. Dependencies are those of data, of
// persistent values (readers before the store), of values overwritten in place, and of
// recomputation: a recomputed node stays behind the node it stood behind, or it would run at once
// and save nothing.

namespace anneal {
namespace {

class ListScheduler {
 public:
  explicit ListScheduler(const Program& program)
      : program_(program), readers_(program.readers()), position_(positions_of(program)) {
    auto count = program.order.size();
    successors_.resize(count);
    waiting_.assign(count, 0);
    remaining_readers_.resize(static_cast<size_t>(program.value_count()), 0);
    for (size_t v = 0; v < readers_.size(); ++v)
      remaining_readers_[v] = static_cast<int32_t>(readers_[v].size());
    for (const auto& out : program.outputs)
      remaining_readers_[static_cast<size_t>(out.value.id)] += 1;
    add_dependencies();
  }

  std::vector<NodeId> run() {
    std::vector<NodeId> order;
    std::vector<size_t> ready;
    for (size_t i = 0; i < waiting_.size(); ++i)
      if (waiting_[i] == 0) ready.push_back(i);
    while (!ready.empty()) {
      auto best = ready.begin();
      int64_t best_gain = gain(*best);
      for (auto it = ready.begin() + 1; it != ready.end(); ++it) {
        int64_t g = gain(*it);
        if (g > best_gain || (g == best_gain && *it < *best)) best = it, best_gain = g;
      }
      size_t chosen = *best;
      ready.erase(best);
      order.push_back(program_.order[chosen]);
      for (Value v : distinct_inputs(chosen)) --remaining_readers_[static_cast<size_t>(v.id)];
      for (size_t next : successors_[chosen])
        if (--waiting_[next] == 0) ready.push_back(next);
    }
    ANNEAL_ASSERT(order.size() == program_.order.size(), "the program has a cycle");
    return order;
  }

 private:
  void depend(size_t later, size_t earlier) {
    successors_[earlier].push_back(later);
    ++waiting_[later];
  }

  // Node `i` overwrites its input in place: every other reader comes first.
  void follow_readers(size_t i, size_t input) {
    const Node& node = program_.node(program_.order[i]);
    if (input >= node.inputs.size() || !node.inputs[input]) return;
    for (NodeId r : readers_[static_cast<size_t>(node.inputs[input].id)])
      if (r != program_.order[i]) depend(i, static_cast<size_t>(position_[static_cast<size_t>(r)]));
  }

  void add_dependencies() {
    size_t behind = 0;
    for (size_t i = 0; i < program_.order.size(); ++i) {
      const Node& node = program_.node(program_.order[i]);
      for (Value v : distinct_inputs(i)) {
        NodeId producer = program_.info(v).producer;
        if (producer >= 0) depend(i, static_cast<size_t>(position_[static_cast<size_t>(producer)]));
      }
      for (Value v : node.outputs) {
        int32_t p = program_.info(v).stores;
        if (p < 0) continue;
        for (int32_t id = 0; id < program_.value_count(); ++id)
          if (program_.info(Value{id}).persistent == p)
            for (NodeId r : readers_[static_cast<size_t>(id)])
              if (r != program_.order[i])
                depend(i, static_cast<size_t>(position_[static_cast<size_t>(r)]));
      }
      for (const Alias& a : node.op->must_alias) follow_readers(i, static_cast<size_t>(a.input));
      for (const AccumulateInto& a : node.op->accumulate)
        follow_readers(i, static_cast<size_t>(a.input));
      if (node.phase == Phase::recompute) {
        if (i > 0) depend(i, behind);
      } else {
        behind = i;
      }
    }
  }

  std::vector<Value> distinct_inputs(size_t i) const {
    std::vector<Value> list;
    for (Value v : program_.node(program_.order[i]).inputs)
      if (v && std::find(list.begin(), list.end(), v) == list.end()) list.push_back(v);
    return list;
  }

  bool transient(Value v) const {
    const auto& info = program_.info(v);
    return info.persistent < 0 && info.stores < 0;
  }

  int64_t gain(size_t i) const {
    int64_t bytes = 0;
    for (Value v : distinct_inputs(i))
      if (transient(v) && remaining_readers_[static_cast<size_t>(v.id)] == 1)
        bytes += program_.type(v).bytes();
    for (Value v : program_.node(program_.order[i]).outputs)
      if (transient(v)) bytes -= program_.type(v).bytes();
    return bytes;
  }

  const Program& program_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<int32_t> position_;
  std::vector<std::vector<size_t>> successors_;
  std::vector<int32_t> waiting_;
  std::vector<int32_t> remaining_readers_;
};

int64_t peak_of(const Program& program, const Module& module, Target& target) {
  std::vector<int64_t> workspace;
  for (NodeId n : program.order)
    workspace.push_back(target.workspace_bytes(*program.node(n).op, program.call(n)));
  return peak_bytes(assign_buffers(program, module), workspace);
}

}  // namespace

void schedule(Module& module, const PassContext& context) {
  for (auto& [name, program] : module.programs) {
    int64_t before = peak_of(program, module, context.target);
    std::vector<NodeId> original = program.order;
    program.order = ListScheduler(program).run();
    if (peak_of(program, module, context.target) >= before) program.order = std::move(original);
  }
}

}  // namespace anneal
