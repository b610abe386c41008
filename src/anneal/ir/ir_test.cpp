#include <gtest/gtest.h>

#include "anneal/ir/builder.hpp"
#include "anneal/ir/interpret.hpp"
#include "anneal/ir/print.hpp"
#include "anneal/ir/verify.hpp"

namespace anneal {
namespace {

// Ops of this test: y = factor·x, its fourfold by expansion, and a + b with an optional c.
struct FactorAttrs {
  double factor = 1;
  bool operator==(const FactorAttrs&) const = default;
  void print(std::ostream& out) const { out << "factor=" << factor; }
};

std::vector<TensorType> same_as_first(const OpCall& call) { return {call.input(0)}; }

const OpDef& scaled() {
  static const OpDef op = [] {
    OpDef d;
    d.name = "scaled";
    d.min_inputs = d.max_inputs = 1;
    d.infer = same_as_first;
    d.low_outputs = bit(0);
    d.reference = [](const OpCall& call, std::span<const RefTensor* const> in,
                     std::span<RefTensor> out) {
      double factor = call.attrs.as<FactorAttrs>().factor;
      for (size_t i = 0; i < out[0].data.size(); ++i) out[0].data[i] = factor * in[0]->data[i];
    };
    return d;
  }();
  return op;
}

Value scaled(Builder& b, Value x, double factor) {
  return b.emit1(scaled(), {x}, Attrs::of(FactorAttrs{factor}));
}

const OpDef& fourfold() {
  static const OpDef op = [] {
    OpDef d;
    d.name = "fourfold";
    d.min_inputs = d.max_inputs = 1;
    d.infer = same_as_first;
    d.expand = [](Builder& b, const OpCall&, std::span<const Value> in) {
      return std::vector<Value>{scaled(b, scaled(b, in[0], 2), 2)};
    };
    return d;
  }();
  return op;
}

const OpDef& sum() {
  static const OpDef op = [] {
    OpDef d;
    d.name = "sum";
    d.min_inputs = 2;
    d.max_inputs = 3;
    d.infer = [](const OpCall& call) {
      ANNEAL_ASSERT(call.input(0).shape == call.input(1).shape, "sum of ", call.input(0), " and ",
                    call.input(1));
      return std::vector<TensorType>{call.input(0)};
    };
    d.reference = [](const OpCall&, std::span<const RefTensor* const> in,
                     std::span<RefTensor> out) {
      for (const RefTensor* t : in)
        for (size_t i = 0; t && i < t->data.size(); ++i) out[0].data[i] += t->data[i];
    };
    return d;
  }();
  return op;
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const InternalError& e) {
    return e.what();
  }
  return "nothing was thrown";
}

#define EXPECT_REFUSED(part, ...)                                           \
  EXPECT_NE(message_of([&] { __VA_ARGS__; }).find(part), std::string::npos) \
      << message_of([&] { __VA_ARGS__; })

// Two parameters, two programs: y = 3·x + w in `forward`, w ← 0.5·w in `decay`.
struct Sample {
  Module module;
  Value x, product, total;
  int32_t w = -1;

  Sample() {
    Program& forward = module.programs["forward"];
    Builder b(forward, &module);
    x = b.input("x", DType::f32, {2, 3});
    {
      ScopeGuard outer(b, "h.0"), inner(b, "mlp");
      product = scaled(b, x, 3);
      Value weight = b.parameter("weight", {2, 3}, Role::matrix, {Init::Kind::normal, 0.02});
      total = b.emit1(sum(), {product, weight});
    }
    b.output("y", total);
    w = module.find("h.0.mlp.weight");
    Builder d(module.programs["decay"], &module);
    d.set_phase(Phase::apply);
    d.store(w, scaled(d, d.persistent(w), 0.5));
  }

  Program& forward() { return module.programs["forward"]; }
  NodeId node_of(Value v) { return forward().info(v).producer; }
  void verify_all() { verify(module, "a test"); }
};

TEST(Attrs, CompareByTypeAndValue) {
  struct Other {
    bool operator==(const Other&) const = default;
    void print(std::ostream&) const {}
  };
  Attrs two = Attrs::of(FactorAttrs{2});
  EXPECT_EQ(two, Attrs::of(FactorAttrs{2}));
  EXPECT_FALSE(two == Attrs::of(FactorAttrs{3}));
  EXPECT_FALSE(two == Attrs::of(Other{}));
  EXPECT_FALSE(two == Attrs{});
  EXPECT_EQ(Attrs{}, Attrs{});
  EXPECT_EQ(two.as<FactorAttrs>().factor, 2);
  EXPECT_THROW(two.as<Other>(), InternalError);
}

TEST(Builder, NamesParametersByScopeAndSharesThem) {
  Sample s;
  EXPECT_GE(s.w, 0);
  const Persistent& p = s.module.persistent(s.w);
  EXPECT_EQ(p.type, (TensorType{DType::f32, {2, 3}}));
  EXPECT_EQ(p.role, Role::matrix);
  Builder b(s.module.programs["other"], &s.module);
  b.set_scope("h.0.mlp");
  Value first = b.parameter("weight", {2, 3}, Role::matrix, {});
  EXPECT_EQ(first, b.parameter("weight", {2, 3}, Role::matrix, {}));
  EXPECT_EQ(s.module.parameters().size(), 1u);
  EXPECT_EQ(s.module.parameter_elements(), 6);
  EXPECT_REFUSED("h.0.mlp.weight", b.parameter("weight", {3, 2}, Role::matrix, {}));
}

TEST(Builder, RefusesMisuse) {
  Sample s;
  Builder b(s.forward(), &s.module);
  EXPECT_REFUSED("sum takes 2 to 3 inputs", b.emit(sum(), {s.x}));
  EXPECT_REFUSED("input 0 is missing", b.emit(sum(), {Value{}, s.x}));
  EXPECT_REFUSED("sum of", b.emit(sum(), {s.x, b.input("z", DType::f32, {4})}));
  EXPECT_REFUSED("input x exists", b.input("x", DType::f32, {1}));
  EXPECT_REFUSED("only a node's own output", b.store(s.w, s.x));
  EXPECT_REFUSED("stores f32", b.store(s.w, scaled(b, b.input("q", DType::f32, {7}), 1)));
  // Absent optional inputs at the end leave no trace.
  Value y = b.emit1(sum(), {s.x, s.product, Value{}});
  EXPECT_EQ(s.forward().node(s.forward().info(y).producer).inputs.size(), 2u);
  Program alone;
  Builder c(alone);
  EXPECT_REFUSED("no module", c.parameter("w", {1}, Role::matrix, {}));
}

TEST(Program, ReplacesEveryUse) {
  Sample s;
  Program& p = s.forward();
  p.gradients[s.w] = s.product;
  Builder b(p, &s.module);
  Value other = scaled(b, s.x, 5);
  p.replace_uses(s.product, other);
  EXPECT_EQ(p.gradients[s.w], other);
  EXPECT_EQ(p.node(s.node_of(s.total)).inputs[0], other);
  p.replace_uses(s.total, other);
  EXPECT_EQ(p.output("y"), other);
  EXPECT_FALSE(p.output("z"));
}

TEST(Module, LayersAndCompanions) {
  EXPECT_EQ(layer_of("h.3.attn.qkv"), "h.3");
  EXPECT_EQ(layer_of("h.3"), "h.3");
  EXPECT_EQ(layer_of("embed.tokens"), "embed");
  EXPECT_EQ(layer_of("head"), "head");
  EXPECT_EQ(layer_of(""), "");
  Sample s;
  Persistent moment = s.module.persistent(s.w);
  moment.name += ".m";
  moment.kind = PersistentKind::moment;
  moment.of = s.w;
  int32_t m = s.module.add_persistent(moment);
  EXPECT_EQ(s.module.companion(s.w, PersistentKind::moment, ".m"), m);
  EXPECT_EQ(s.module.companion(s.w, PersistentKind::moment, ".v"), -1);
  EXPECT_EQ(s.module.companion(s.w, PersistentKind::gradient), -1);
  EXPECT_REFUSED("h.0.mlp.weight.m exists", s.module.add_persistent(moment));
  EXPECT_TRUE(decays(Role::matrix) && decays(Role::embedding) && decays(Role::position));
  EXPECT_FALSE(decays(Role::bias) || decays(Role::gain));
}

TEST(Print, ShowsEveryPartOfAProgram) {
  Sample s;
  std::ostringstream out;
  print(out, s.module);
  EXPECT_EQ(out.str(),
            "parameter @h.0.mlp.weight: f32[2,3]  # matrix\n"
            "program decay {\n"
            "  %1: f32[2,3] -> @h.0.mlp.weight = scaled(@h.0.mlp.weight) {factor=0.5}  # apply\n"
            "}\n"
            "program forward {\n"
            "  input $x: f32[2,3]\n"
            "  %1: f32[2,3] = scaled($x) {factor=3}  # forward h.0.mlp\n"
            "  %3: f32[2,3] = sum(%1, @h.0.mlp.weight)  # forward h.0.mlp\n"
            "  output y = %3\n"
            "}\n");
}

TEST(Verify, AcceptsAWellFormedModule) { EXPECT_NO_THROW(Sample().verify_all()); }

TEST(Verify, NamesWhatIsBroken) {
  {
    Sample s;
    std::swap(s.forward().order[0], s.forward().order[1]);
    EXPECT_REFUSED("before it is produced", s.verify_all());
    EXPECT_REFUSED("after a test, program forward", s.verify_all());
    EXPECT_REFUSED("h.0.mlp", s.verify_all());
  }
  {
    Sample s;
    s.forward().order.push_back(s.forward().order[0]);
    EXPECT_REFUSED("runs twice", s.verify_all());
  }
  {
    Sample s;
    s.forward().info(s.total).type.shape = {3, 2};
    EXPECT_REFUSED("the op infers", s.verify_all());
  }
  {
    // `sum` says nothing of low precision; `scaled` may write it, but `sum` does not read it.
    Sample s;
    s.forward().info(s.total).type.dtype = DType::bf16;
    EXPECT_REFUSED("output 0 is bf16", s.verify_all());
  }
  {
    Sample s;
    s.forward().info(s.product).type.dtype = s.forward().info(s.total).type.dtype = DType::bf16;
    EXPECT_REFUSED("low precision", s.verify_all());
  }
  {
    Sample s;
    s.forward().order.pop_back();
    EXPECT_REFUSED("output y is never produced", s.verify_all());
  }
  {
    Sample s;
    s.forward().gradients[s.w] = Value{};
    EXPECT_REFUSED("gradient", s.verify_all());
  }
  {
    Sample s;
    s.forward().info(s.total).producer = s.node_of(s.product);
    EXPECT_REFUSED("names another producer", s.verify_all());
  }
  {
    Sample s;
    s.module.persistents[static_cast<size_t>(s.w)].type.shape = {6};
    EXPECT_REFUSED("is read as", s.verify_all());
  }
  {
    Sample s;
    Builder b(s.module.programs["decay"], &s.module);
    b.store(s.w, scaled(b, b.input("again", DType::f32, {2, 3}), 1));
    EXPECT_REFUSED("a second time", s.verify_all());
  }
  {
    Sample s;
    Builder b(s.module.programs["decay"], &s.module);
    scaled(b, b.persistent(s.w), 1);
    EXPECT_REFUSED("after its store", s.verify_all());
  }
}

RefTensor counting(const Shape& shape, double first) {
  RefTensor t{shape, {}};
  for (int64_t i = 0; i < shape.elements(); ++i) t.data.push_back(first + static_cast<double>(i));
  return t;
}

TEST(Interpret, RunsProgramsOverPersistents) {
  Sample s;
  RefState state;
  state.inputs["x"] = counting({2, 3}, 1);
  state.persistents[s.w] = counting({2, 3}, 10);
  s.forward().gradients[s.w] = s.product;
  interpret(s.forward(), state);
  for (size_t i = 0; i < 6; ++i) {
    double x = 1.0 + static_cast<double>(i), w = 10.0 + static_cast<double>(i);
    EXPECT_EQ(state.outputs["y"].data[i], 3 * x + w);
    EXPECT_EQ(state.gradients[s.w].data[i], 3 * x);
  }
  interpret(s.module.programs["decay"], state);
  EXPECT_EQ(state.persistents[s.w].data[2], 6);
}

TEST(Interpret, FallsBackToTheExpansion) {
  OpCall call{.in = {TensorType{DType::f32, {3}}}};
  RefTensor x = counting({3}, 1);
  const RefTensor* in[] = {&x};
  auto out = interpret_op(fourfold(), call, in);
  EXPECT_EQ(out[0].data, (std::vector<double>{4, 8, 12}));
}

TEST(Interpret, MissesNoInput) {
  Sample s;
  RefState state;
  state.inputs["x"] = counting({2, 3}, 1);
  EXPECT_REFUSED("was not given", interpret(s.forward(), state));
  OpDef nothing;
  nothing.name = "nothing";
  nothing.infer = same_as_first;
  OpCall call{.in = {TensorType{DType::f32, {6}}}};
  const RefTensor* in[] = {&state.inputs["x"]};
  EXPECT_REFUSED("neither a reference nor an expansion", interpret_op(nothing, call, in));
}

}  // namespace
}  // namespace anneal
