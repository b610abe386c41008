#include "anneal/passes/liveness.hpp"

#include <algorithm>
#include <numeric>

#include "anneal/passes/rewrite.hpp"

namespace anneal {
namespace {

class Assignment {
 public:
  Assignment(const Program& program, const Module& module) : program_(program), module_(module) {
    auto count = static_cast<size_t>(program.value_count());
    parent_.resize(count);
    std::iota(parent_.begin(), parent_.end(), 0);
    first_.assign(count, -1);
    last_.assign(count, -2);  // -2: not in use at all
    fixed_.assign(count, -1);
    auto end = static_cast<int32_t>(program.order.size());
    for (Value v : program.inputs()) last_[id(v)] = -1;
    for (int32_t i = 0; i < end; ++i) {
      const Node& node = program.node(program.order[static_cast<size_t>(i)]);
      for (Value v : node.outputs) first_[id(v)] = last_[id(v)] = i;
      for (Value v : node.inputs)
        if (v) last_[id(v)] = i;
    }
    for (const auto& out : program.outputs) last_[id(out.value)] = end;
    for (const auto& [parameter, value] : program.gradients) last_[id(value)] = end;
    for (int32_t v = 0; v < program.value_count(); ++v) {
      const auto& info = program.info(Value{v});
      if (info.persistent >= 0) fixed_[static_cast<size_t>(v)] = info.persistent;
      if (info.stores >= 0) fixed_[static_cast<size_t>(v)] = info.stores;
    }
  }

  std::vector<Buffer> run() {
    for (size_t i = 0; i < program_.order.size(); ++i) demanded(program_.order[i]);
    for (size_t i = 0; i < program_.order.size(); ++i)
      permitted(program_.order[i], static_cast<int32_t>(i));
    for (NodeId n : program_.order) check_stores(program_.node(n));
    return collect();
  }

 private:
  static size_t id(Value v) { return static_cast<size_t>(v.id); }

  size_t root(size_t v) {
    while (parent_[v] != v) v = parent_[v] = parent_[parent_[v]];
    return v;
  }

  void unite(Value a, Value b) {
    size_t x = root(id(a)), y = root(id(b));
    if (x == y) return;
    parent_[y] = x;
    first_[x] = std::min(first_[x], first_[y]);
    last_[x] = std::max(last_[x], last_[y]);
    if (fixed_[x] < 0) fixed_[x] = fixed_[y];
  }

  void demanded(NodeId n) {
    const Node& node = program_.node(n);
    std::vector<Alias> list(node.op->must_alias.begin(), node.op->must_alias.end());
    for (const auto& a : node.op->accumulate)
      if (static_cast<size_t>(a.input) < node.inputs.size() &&
          node.inputs[static_cast<size_t>(a.input)])
        list.push_back({a.output, a.input});
    for (const Alias& a : list) {
      Value in = node.inputs[static_cast<size_t>(a.input)];
      Value out = node.outputs[static_cast<size_t>(a.output)];
      ANNEAL_ASSERT(last_[root(id(in))] <= first_[id(out)], node.describe(), " overwrites input ",
                    a.input, ", which is still read later");
      int32_t a_fixed = fixed_[root(id(in))], b_fixed = fixed_[root(id(out))];
      ANNEAL_ASSERT(a_fixed < 0 || b_fixed < 0 || a_fixed == b_fixed, node.describe(),
                    " joins two persistent values, ", module_.persistent(a_fixed).name, " and ",
                    module_.persistent(b_fixed).name);
      unite(in, out);
    }
  }

  void permitted(NodeId n, int32_t position) {
    const Node& node = program_.node(n);
    std::vector<bool> taken(node.inputs.size(), false);
    for (const Alias& a : node.op->may_alias) {
      auto i = static_cast<size_t>(a.input), o = static_cast<size_t>(a.output);
      if (i >= node.inputs.size() || o >= node.outputs.size()) continue;
      Value in = node.inputs[i], out = node.outputs[o];
      if (!in || taken[i] || program_.type(in) != program_.type(out)) continue;
      // The output has a place already, by a demand or an earlier permission.
      if (root(id(out)) != id(out) || has_partner(out)) continue;
      if (last_[root(id(in))] != position) continue;
      int32_t in_fixed = fixed_[root(id(in))], out_fixed = fixed_[id(out)];
      if (out_fixed >= 0 && in_fixed >= 0 && in_fixed != out_fixed) continue;
      if (in_fixed >= 0 && in_fixed != out_fixed) continue;
      // A place that starts with the program cannot be a persistent's: others may read that.
      if (out_fixed >= 0 && in_fixed < 0) continue;
      taken[i] = true;
      unite(in, out);
    }
  }

  // A node that stores to a persistent it also reads must be able to work in place.
  void check_stores(const Node& node) {
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      int32_t stores = program_.info(node.outputs[o]).stores;
      if (stores < 0) continue;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (!node.inputs[i] || fixed_[root(id(node.inputs[i]))] != stores) continue;
        auto allowed = [&](const Alias& a) {
          return a.output == static_cast<int>(o) && a.input == static_cast<int>(i);
        };
        bool in_place =
            std::any_of(node.op->may_alias.begin(), node.op->may_alias.end(), allowed) ||
            std::any_of(node.op->must_alias.begin(), node.op->must_alias.end(), allowed);
        for (const auto& a : node.op->accumulate) in_place |= allowed({a.output, a.input});
        ANNEAL_ASSERT(in_place, node.describe(),
                      " reads the persistent value that it stores, but cannot work in place");
      }
    }
  }

  bool has_partner(Value v) {
    size_t r = root(id(v));
    for (size_t w = 0; w < parent_.size(); ++w)
      if (w != id(v) && parent_[w] != w && root(w) == r) return true;
    return false;
  }

  std::vector<Buffer> collect() {
    std::vector<Buffer> buffers;
    std::vector<int32_t> index(parent_.size(), -1);
    for (size_t v = 0; v < parent_.size(); ++v) {
      size_t r = root(v);
      if (last_[r] == -2 && fixed_[r] < 0) continue;
      if (index[r] < 0) {
        index[r] = static_cast<int32_t>(buffers.size());
        buffers.push_back(
            {.values = {}, .first = first_[r], .last = last_[r], .persistent = fixed_[r]});
      }
      Buffer& buffer = buffers[static_cast<size_t>(index[r])];
      buffer.values.push_back(static_cast<int32_t>(v));
      buffer.bytes = std::max(buffer.bytes, program_.type(Value{static_cast<int32_t>(v)}).bytes());
    }
    return buffers;
  }

  const Program& program_;
  const Module& module_;
  std::vector<size_t> parent_;
  std::vector<int32_t> first_, last_, fixed_;
};

}  // namespace

std::vector<Buffer> assign_buffers(const Program& program, const Module& module) {
  return Assignment(program, module).run();
}

int64_t peak_bytes(const std::vector<Buffer>& buffers, const std::vector<int64_t>& workspace) {
  auto positions = static_cast<int32_t>(workspace.size());
  std::vector<int64_t> change(workspace.size() + 3, 0);
  for (const Buffer& b : buffers) {
    if (b.persistent >= 0) continue;
    change[static_cast<size_t>(b.first + 1)] += b.bytes;
    change[static_cast<size_t>(b.last + 2)] -= b.bytes;
  }
  int64_t live = 0, peak = 0;
  for (int32_t p = -1; p <= positions; ++p) {
    live += change[static_cast<size_t>(p + 1)];
    int64_t scratch = p >= 0 && p < positions ? workspace[static_cast<size_t>(p)] : 0;
    peak = std::max(peak, live + scratch);
  }
  return peak;
}

}  // namespace anneal
