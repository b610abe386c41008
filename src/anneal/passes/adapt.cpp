#include <cmath>
#include <map>

#include "anneal/base/rng.hpp"
#include "anneal/ir/builder.hpp"
#include "anneal/ops/columns/columns.hpp"
#include "anneal/ops/dropout/dropout.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Low-rank adapters (Hu et al., "LoRA", 2021): wherever a program multiplies by an adapted weight,
// y = x·Wᵀ becomes y + s·(drop(x)·Aᵀ)·Bᵀ with A [rank, in] and B [out, rank]. Everything else is
// frozen, so that only A and B get gradients and moments. B starts at zero: until the first update
// the model computes what it did. A starts as Hugging Face's PEFT has it.

namespace anneal {
namespace {

using AdaptersOf = std::map<int32_t, std::vector<const Adapter*>>;  // a parameter

struct Factors {
  Value a, b;
};

Factors factors(Builder& b, const Adapter& adapter, int32_t weight, int64_t in) {
  Module& module = b.module();
  auto parameter = [&](const char* name, const Shape& shape, Init init, bool vanishes) {
    std::string full = adapter.scope + "." + name;
    int32_t index = module.find(full);
    if (index < 0)
      index = module.add_persistent({.name = full,
                                     .type = {DType::f32, shape},
                                     .role = Role::matrix,
                                     .init = init,
                                     .of = weight,
                                     .gradient_may_vanish = vanishes});
    return b.persistent(index);
  };
  Init uniform{Init::Kind::uniform, 1 / std::sqrt(static_cast<double>(in))};
  // While B is zero, no gradient reaches A.
  return {parameter("lora_A", {adapter.rank, in}, uniform, true),
          parameter("lora_B", {adapter.features, adapter.rank}, {}, false)};
}

// `y` with what the adapter adds for input `x`.
Value adapted(Builder& b, const Adapter& adapter, int32_t weight, Value x, Value y,
              Value first_sample, uint64_t seed) {
  auto [down, up] = factors(b, adapter, weight, b.shape(x)[-1]);
  if (first_sample)
    x = dropout(b, x, first_sample, adapter.dropout, hash64(adapter.scope + "/lora", seed));
  Value hidden = scale(b, matmul(b, x, down, false, true), adapter.scale);
  Value delta = matmul(b, hidden, up, false, true);
  if (adapter.features == b.shape(y)[-1]) return add(b, y, delta);
  return add_columns(b, y, delta, adapter.first);
}

void adapt_program(Module& module, Program& program, const AdaptersOf& adapters, uint64_t seed) {
  auto readers = program.readers();
  Value first_sample = program.input("first_sample");
  Builder b(program, &module);
  Insertions insertions;
  for (NodeId n : std::vector<NodeId>(program.order)) {
    const LinearIn& linear = program.node(n).op->linear;
    if (linear.weight < 0) continue;
    Value weight = program.node(n).inputs[static_cast<size_t>(linear.weight)];
    auto found = adapters.find(program.info(weight).persistent);
    if (found == adapters.end()) continue;
    Value x = program.node(n).inputs[static_cast<size_t>(linear.x)];
    Value before = program.node(n).outputs[0], after = before;
    b.set_phase(program.node(n).phase);
    b.set_destination(&insertions.after(n));
    for (const Adapter* adapter : found->second) {
      b.set_scope(adapter->scope + ".lora");
      after = adapted(b, *adapter, found->first, x, after, first_sample, seed);
    }
    for (NodeId reader : readers[static_cast<size_t>(before.id)])
      for (Value& v : program.node(reader).inputs)
        if (v == before) v = after;
    for (auto& output : program.outputs)
      if (output.value == before) output.value = after;
  }
  insertions.apply(program);
}

}  // namespace

void adapt(Module& module, const PassContext& context) {
  const auto& wanted = context.options.adapters;
  if (wanted.empty()) return;
  AdaptersOf adapters;
  for (const Adapter& adapter : wanted) {
    int32_t weight = module.find(adapter.weight);
    ANNEAL_ASSERT(weight >= 0, "there is no parameter ", adapter.weight, " to adapt");
    adapters[weight].push_back(&adapter);
  }
  for (int32_t parameter : module.parameters())
    module.persistents[static_cast<size_t>(parameter)].trainable = false;
  for (auto& [name, program] : module.programs)
    adapt_program(module, program, adapters, context.options.seed);
}

}  // namespace anneal
