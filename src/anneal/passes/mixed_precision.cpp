#include <algorithm>
#include <unordered_map>

#include "anneal/ir/builder.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Gives each value of a program one storage dtype. Ops say which inputs must be low (matmul
// operands), which inputs they accept in low precision and which outputs may be stored so; a value
// is stored low when its producer may write it and every reader accepts it. What is left in FP32
// follows: the residual stream, statistics of norms, log-sum-exp, losses, gradients of parameters,
// master weights and moments. A parameter that must be read low gets a copy, which the update
// keeps current and program `refresh` makes anew after a load. In fp16 the loss is scaled.

namespace anneal {
namespace {

bool is_low(const Program& program, Value v) { return is_low(program.type(v).dtype); }

// Whether the float tensors among a node's inputs are low, and there are such.
bool all_float_tensors_low(const Program& program, const Node& node) {
  bool any = false;
  for (Value v : node.inputs) {
    if (!v || program.type(v).shape.rank() == 0 || !is_float(program.type(v).dtype)) continue;
    if (!is_low(program, v)) return false;
    any = true;
  }
  return any;
}

// Marks a gradient and every term of the sum that makes it: all are parts of one FP32 sum.
void keep_terms(const Program& program, Value v, std::vector<bool>& kept) {
  kept[static_cast<size_t>(v.id)] = true;
  NodeId n = program.info(v).producer;
  if (n < 0) return;
  const Node& node = program.node(n);
  if (node.phase != Phase::backward || !node.op->sums_inputs ||
      !node.op->sums_inputs(program.call(n)))
    return;
  for (Value term : node.inputs) keep_terms(program, term, kept);
}

void assign_storage(Program& program, DType low) {
  auto readers = program.readers();
  std::vector<bool> kept(static_cast<size_t>(program.value_count()), false);
  for (const auto& out : program.outputs) kept[static_cast<size_t>(out.value.id)] = true;
  for (const auto& [parameter, value] : program.gradients) keep_terms(program, value, kept);

  auto accepted = [&](Value v) {
    for (NodeId n : readers[static_cast<size_t>(v.id)]) {
      const Node& node = program.node(n);
      uint32_t accepts = node.op->low_accept | node.op->low_require;
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i] == v && !(accepts & bit(static_cast<int>(i)))) return false;
    }
    return true;
  };
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    bool follows = !node.op->low_follows || all_float_tensors_low(program, node);
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      Value v = node.outputs[o];
      auto& info = program.info(v);
      if (info.type.dtype == DType::f32 && follows &&
          (node.op->low_outputs & bit(static_cast<int>(o))) && !kept[static_cast<size_t>(v.id)] &&
          info.stores < 0 && info.type.shape.rank() > 0 && accepted(v))
        info.type.dtype = low;
    }
  }
}

// A parameter that nothing updates and that is only ever read low needs no FP32 beside its copy: it
// is stored low itself.
void store_frozen_low(Module& module, DType low) {
  enum class Use : uint8_t { none, low, other };
  std::vector<Use> use(module.persistents.size(), Use::none);
  for (const auto& [name, program] : module.programs) {
    for (NodeId n : program.order) {
      const Node& node = program.node(n);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        int32_t p = node.inputs[i] ? program.info(node.inputs[i]).persistent : -1;
        if (p < 0) continue;
        Use& known = use[static_cast<size_t>(p)];
        bool reads_low = node.op->low_require & bit(static_cast<int>(i));
        known = reads_low && known != Use::other ? Use::low : Use::other;
      }
    }
    for (const auto& [parameter, gradient] : program.gradients)
      use[static_cast<size_t>(parameter)] = Use::other;
  }
  for (int32_t p : module.parameters()) {
    if (use[static_cast<size_t>(p)] != Use::low) continue;
    module.persistents[static_cast<size_t>(p)].type.dtype = low;
    for (auto& [name, program] : module.programs)
      for (int32_t v = 0; v < program.value_count(); ++v)
        if (auto& info = program.info(Value{v}); info.persistent == p) info.type.dtype = low;
  }
}

// What a node reads beside caches is rounded already, and it accepts the caches that it reads low.
bool reads_rounded(const Module& module, const Program& program, const Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Value v = node.inputs[i];
    if (!v || program.type(v).shape.rank() == 0 || !is_float(program.type(v).dtype)) continue;
    int32_t p = program.info(v).persistent;
    bool cache = p >= 0 && module.persistent(p).kind == PersistentKind::cache;
    if (cache ? !(node.op->low_accept & bit(static_cast<int>(i))) : !is_low(program, v))
      return false;
  }
  return true;
}

// A cache that takes in and gives low values only is stored low: nothing is lost, and generation
// reads half. What it becomes must be an output of a node that reads it, and nothing else.
void store_caches_low(Module& module, DType low) {
  std::vector<bool> keeps(module.persistents.size(), false);
  for (const auto& [name, program] : module.programs) {
    auto readers = program.readers();
    for (NodeId n : program.order) {
      const Node& node = program.node(n);
      std::vector<int32_t> read;
      for (Value v : node.inputs)
        if (v && program.info(v).persistent >= 0) read.push_back(program.info(v).persistent);
      if (!reads_rounded(module, program, node))
        for (int32_t p : read) keeps[static_cast<size_t>(p)] = true;
      for (Value out : node.outputs) {
        int32_t p = program.info(out).stores;
        if (p < 0) continue;
        bool updates = std::find(read.begin(), read.end(), p) != read.end();
        if (!updates || !readers[static_cast<size_t>(out.id)].empty())
          keeps[static_cast<size_t>(p)] = true;
      }
    }
  }
  auto becomes_low = [&](int32_t p) {
    return p >= 0 && module.persistent(p).kind == PersistentKind::cache &&
           !keeps[static_cast<size_t>(p)];
  };
  for (auto& [name, program] : module.programs)
    for (int32_t v = 0; v < program.value_count(); ++v) {
      auto& info = program.info(Value{v});
      if (becomes_low(info.persistent) || becomes_low(info.stores)) info.type.dtype = low;
    }
  for (size_t p = 0; p < module.persistents.size(); ++p)
    if (becomes_low(static_cast<int32_t>(p))) module.persistents[p].type.dtype = low;
}

// The copy of a parameter in low precision, created on first use.
int32_t low_copy(Module& module, int32_t parameter, DType low) {
  if (int32_t copy = module.companion(parameter, PersistentKind::copy); copy >= 0) return copy;
  Persistent p = module.persistent(parameter);
  p.name += str(".", name_of(low));
  p.type.dtype = low;
  p.kind = PersistentKind::copy;
  p.init = {};
  p.of = parameter;
  return module.add_persistent(std::move(p));
}

void insert_casts(Module& module, Program& program, DType low) {
  Insertions insertions;
  std::unordered_map<int32_t, Value> casts;
  Builder b(program, &module);
  for (NodeId n : std::vector<NodeId>(program.order)) {
    for (size_t i = 0; i < program.node(n).inputs.size(); ++i) {
      const Node& node = program.node(n);
      Value v = node.inputs[i];
      if (!v || !(node.op->low_require & bit(static_cast<int>(i)))) continue;
      if (program.type(v).dtype != DType::f32) continue;
      Value replacement;
      int32_t persistent = program.info(v).persistent;
      if (persistent >= 0 && module.persistent(persistent).kind == PersistentKind::parameter) {
        replacement = b.persistent(low_copy(module, persistent, low));
      } else if (auto it = casts.find(v.id); it != casts.end()) {
        replacement = it->second;
      } else {
        b.set_scope(node.scope, node.location);
        b.set_phase(node.phase);
        b.set_destination(&insertions.before(n));
        replacement = casts[v.id] = cast(b, v, low);
      }
      program.node(n).inputs[i] = replacement;
    }
  }
  insertions.apply(program);
}

// fp16 has few exponents: the gradient of the loss starts at a scale that the host chooses
// (train/loss_scale.hpp), instead of at 1, and the update divides by it.
void scale_loss(Module& module, Program& program) {
  if (!program.gradient_seed) return;
  Value scale = Builder(program, &module).input("loss_scale", DType::f32, {});
  program.replace_uses(program.gradient_seed, scale);
  program.gradient_seed = scale;
}

void add_refresh(Module& module) {
  Program program;
  Builder b(program, &module);
  for (size_t i = 0; i < module.persistents.size(); ++i) {
    const auto& p = module.persistents[i];
    if (p.kind != PersistentKind::copy) continue;
    b.store(static_cast<int32_t>(i), cast(b, b.persistent(p.of), p.type.dtype));
  }
  if (!program.order.empty()) module.programs["refresh"] = std::move(program);
}

}  // namespace

void mixed_precision(Module& module, const PassContext& context) {
  if (context.options.precision == "fp32") return;
  bool fp16 = context.options.precision == "fp16";
  ANNEAL_ASSERT(fp16 || context.options.precision == "bf16", "precision ",
                context.options.precision);
  DType low = fp16 ? DType::f16 : DType::bf16;
  store_frozen_low(module, low);
  for (auto& [name, program] : module.programs) {
    if (fp16) scale_loss(module, program);
    assign_storage(program, low);
    insert_casts(module, program, low);
  }
  store_caches_low(module, low);
  add_refresh(module);
}

}  // namespace anneal
