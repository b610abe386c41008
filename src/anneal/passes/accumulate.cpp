#include "anneal/ir/builder.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/grad_norm/grad_norm.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Gradient accumulation. From the joint program `step` come
//   step.first    overwrites the gradient buffers with the gradients of one micro-batch
//   step.next     adds to them
//   combine.first, combine.next   (more than one logical shard) the sum over shards, in shard
//   order:
//                 the first overwrites, the others add the shard's buffer to the total
//   reduce        the squared norm of every finished gradient ("norm2.NAME") and the norm of all
// Adding starts at the innermost term of a gradient that is itself a sum, so that tied weights
// accumulate term by term into the buffer. The reduction over ranks will stand between the last
// micro-batch and `reduce`.

namespace anneal {
namespace {

int32_t gradient_buffer(Module& module, int32_t parameter, const std::string& suffix) {
  Persistent p = module.persistent(parameter);
  p.name += suffix;
  p.kind = PersistentKind::gradient;
  p.init = {};
  p.of = parameter;
  return module.add_persistent(std::move(p));
}

// The value that is first in the chain of sums ending in `total`: total = ((leaf + b) + c) + …
Value innermost_term(const Program& program, Value total,
                     const std::vector<std::vector<NodeId>>& readers) {
  Value v = total;
  while (true) {
    NodeId n = program.info(v).producer;
    if (n < 0) return v;
    const Node& node = program.node(n);
    if (node.phase != Phase::backward || !node.op->sums_inputs ||
        !node.op->sums_inputs(program.call(n)))
      return v;
    Value first = node.inputs[0];
    // The term must exist for this sum alone.
    if (readers[static_cast<size_t>(first.id)].size() != 1 || node.inputs[1] == first) return v;
    v = first;
  }
}

void store_gradient(Builder& b, Insertions& insertions, int32_t buffer, Value gradient) {
  const auto& info = b.program().info(gradient);
  ANNEAL_ASSERT(info.producer >= 0, "the gradient of ", b.module().persistent(buffer).name,
                " is not computed");
  if (info.stores >= 0 || info.type != b.module().persistent(buffer).type) {
    b.set_destination(&insertions.after(info.producer));
    gradient = apply(b, Ew::copy, gradient);
  }
  b.store(buffer, gradient);
}

Program accumulating(Module& module, const Program& step, const std::map<int32_t, int32_t>& buffers,
                     bool add_to) {
  Program program = step;
  Builder b(program, &module);
  b.set_phase(Phase::backward);
  auto readers = program.readers();
  Insertions insertions;
  for (auto [parameter, value] : step.gradients) {
    int32_t buffer = buffers.at(parameter);
    Value total = value;
    if (add_to) {
      Value leaf = innermost_term(program, value, readers);
      NodeId producer = program.info(leaf).producer;
      b.set_scope(program.node(producer).scope);
      b.set_destination(&insertions.after(producer));
      Value sum = add(b, b.persistent(buffer), leaf);
      if (leaf == value)
        total = sum;
      else
        for (Value& v : program.node(readers[static_cast<size_t>(leaf.id)][0]).inputs)
          if (v == leaf) v = sum;
    }
    store_gradient(b, insertions, buffer, total);
  }
  insertions.apply(program);
  // The buffers hold the gradients now.
  program.gradients.clear();
  return program;
}

Program combining(Module& module, const std::map<int32_t, int32_t>& totals,
                  const std::map<int32_t, int32_t>& parts, bool add_to) {
  Program program;
  Builder b(program, &module);
  b.set_phase(Phase::reduce);
  for (auto [parameter, total] : totals) {
    b.set_scope(module.persistent(parameter).name);
    Value part = b.persistent(parts.at(parameter));
    b.store(total, add_to ? add(b, b.persistent(total), part) : apply(b, Ew::copy, part));
  }
  return program;
}

Program norms(Module& module, const std::map<int32_t, int32_t>& totals) {
  Program program;
  Builder b(program, &module);
  b.set_phase(Phase::reduce);
  std::vector<Value> sums;
  for (auto [parameter, total] : totals) {
    b.set_scope(module.persistent(parameter).name);
    sums.push_back(sum_squares(b, b.persistent(total)));
    b.output("norm2." + module.persistent(parameter).name, sums.back());
  }
  b.set_scope("");
  b.output("grad_norm", grad_norm(b, sums));
  return program;
}

}  // namespace

void accumulate(Module& module, const PassContext& context) {
  auto node = module.programs.extract("step");
  if (node.empty()) return;
  const Program& step = node.mapped();
  bool shards = context.options.shards > 1;
  std::map<int32_t, int32_t> totals, parts;
  for (auto [parameter, value] : step.gradients)
    totals[parameter] = gradient_buffer(module, parameter, ".grad");
  parts = totals;
  if (shards)
    for (auto& [parameter, buffer] : parts)
      buffer = gradient_buffer(module, parameter, ".shard_grad");
  module.programs["step.first"] = accumulating(module, step, parts, false);
  module.programs["step.next"] = accumulating(module, step, parts, true);
  if (shards) {
    module.programs["combine.first"] = combining(module, totals, parts, false);
    module.programs["combine.next"] = combining(module, totals, parts, true);
  }
  module.programs["reduce"] = norms(module, totals);
}

}  // namespace anneal
