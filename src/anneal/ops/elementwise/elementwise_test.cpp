#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/elementwise/tape.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ir/interpret.hpp"
#include "anneal/ops/elementwise/cpu.hpp"
#include "anneal/ops/elementwise/table.hpp"
#include "anneal/ops/registry.hpp"
#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

using testing::OpCase;

Attrs single(Ew f, float constant = 0) {
  int n = arity(f);
  return Attrs::of(ElementwiseAttrs{
      .inputs = n,
      .code = {{.function = f, .a = 0, .b = n == 2 ? 1 : -1, .constant = constant}},
      .results = {n}});
}

bool has_gradient(Ew f) {
  return f != Ew::step && f != Ew::gelu_derivative && f != Ew::gelu_exact_derivative &&
         f != Ew::silu_derivative;
}

// Keeps operands in each function's domain and off its kinks, where central differences fail.
void fill(Ew f, int input, RefTensor& t) {
  bool positive =
      f == Ew::sqrt || f == Ew::log || f == Ew::reciprocal || (f == Ew::div && input == 1);
  for (double& x : t.data) {
    if (positive) x = 0.6 + 0.4 * x;
    if (std::abs(x) < 0.01) x += 0.05;
    if ((f == Ew::maximum || f == Ew::minimum) && input == 1) x *= 0.731;
    if (f >= Ew::gelu && f <= Ew::silu_derivative) x *= 5;
  }
}

TEST(Elementwise, EveryFunctionAtOddSizes) {
  for (int k = 0; k < static_cast<int>(Ew::count); ++k) {
    auto f = static_cast<Ew>(k);
    for (Shape shape : {Shape{1}, Shape{3, 7}, Shape{2, 5, 129}}) {
      OpCase c{.name = str(name_of(f), shape), .op = &elementwise_op(), .attrs = single(f, 1.7f)};
      c.in.assign(static_cast<size_t>(arity(f)), TensorType{DType::f32, shape});
      c.fill = [f](int input, RefTensor& t) { fill(f, input, t); };
      c.low_inputs = all_bits;
      c.low_outputs = bit(0);
      c.gradient = has_gradient(f);
      check(c);
    }
  }
}

// A maximum or minimum with NaN is NaN, on whichever side: a fault must not vanish.
TEST(Elementwise, ExtremesKeepNaN) {
  for (Ew f : {Ew::maximum, Ew::minimum}) {
    OpCall call{.attrs = single(f, 0), .in = {TensorType{DType::f32, {2}}, {{DType::f32, {2}}}}};
    call.out = elementwise_op().infer(call);
    RefTensor x{{2}, {1, NAN}}, y{{2}, {NAN, 1}};
    const RefTensor* in[] = {&x, &y};
    RefTensor expected = interpret_op(elementwise_op(), call, in)[0];
    EXPECT_TRUE(std::isnan(expected.data[0]) && std::isnan(expected.data[1])) << name_of(f);
    auto kernel = make_cpu_kernel(elementwise_op(), call);
    float a[] = {1, NAN}, b[] = {NAN, 1}, out[2] = {};
    const void* inputs[] = {a, b};
    void* outputs[] = {out};
    std::vector<std::byte> workspace(static_cast<size_t>(kernel->workspace_bytes()) + 1);
    kernel->run({inputs, outputs, workspace.data()});
    EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1])) << name_of(f);
  }
}

TEST(Elementwise, Broadcasts) {
  Shape full{3, 5, 33};
  for (Shape other : {Shape{}, Shape{33}, Shape{5, 33}, Shape{3, 5, 1}}) {
    for (Ew f : {Ew::add, Ew::mul, Ew::sub, Ew::div}) {
      OpCase c{.name = str(name_of(f), other),
               .op = &elementwise_op(),
               .attrs = single(f),
               .in = {TensorType{DType::f32, full}, TensorType{DType::f32, other}}};
      c.fill = [f](int input, RefTensor& t) { fill(f, input, t); };
      c.low_inputs = all_bits;
      check(c);
      std::swap(c.in[0], c.in[1]);
      if (f != Ew::div) check(c);
    }
  }
}

TEST(Elementwise, SameOperandTwice) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::f32, {5});
  Value y = mul(b, x, x);
  std::vector<bool> needed{true, true};
  Value dy = b.input("dy", DType::f32, {5});
  std::vector<Value> in{x, x}, out{y}, grads{dy};
  auto gradients =
      elementwise_op().vjp({b, program.call(program.order[0]), in, out, grads, needed});
  EXPECT_TRUE(gradients[0] && gradients[1]);
}

TEST(Elementwise, TapeOfManyInstructions) {
  // ((a·b + c)·s, gelu(a·b + c)): intermediates, a scalar, a row and two outputs.
  ElementwiseAttrs attrs{.inputs = 4,
                         .code = {{.function = Ew::mul, .a = 0, .b = 1},
                                  {.function = Ew::add, .a = 4, .b = 2},
                                  {.function = Ew::mul, .a = 5, .b = 3},
                                  {.function = Ew::gelu, .a = 5}},
                         .results = {6, 7}};
  Shape full{7, 130};
  OpCase c{.name = "tape", .op = &elementwise_op(), .attrs = Attrs::of(attrs)};
  c.in = {TensorType{DType::f32, full}, TensorType{DType::f32, full}, TensorType{DType::f32, {130}},
          TensorType{DType::f32, {}}};
  c.low_inputs = bit(0) | bit(2);
  c.low_outputs = bit(1);
  c.gradient = false;
  check(c);
}

// Every way in which a step takes in what it reads, and the reasons not to.
TEST(Elementwise, TapeFusesWhatOnlyOneStepReads) {
  // Operands: a = 0, b = 1, c = 2; results from 3 on.
  struct Case {
    const char* name;
    std::vector<EwInstruction> code;
    std::vector<int32_t> results;
    size_t steps;
  };
  using enum Ew;
  const std::vector<EwInstruction> root = {
      {sqrt, 1}, {mul, 3, 2}, {shift, 4, -1, 0.5f}, {div, 0, 5}};
  std::vector<EwInstruction> read_twice = root;
  read_twice.push_back({mul, 6, 5});
  const Case cases[] = {
      {"a·b + c", {{mul, 0, 1}, {add, 3, 2}}, {4}, 1},
      {"c + a·b", {{mul, 0, 1}, {add, 2, 3}}, {4}, 1},
      {"c - a·b", {{mul, 0, 1}, {sub, 2, 3}}, {4}, 1},
      {"a·b - c stays", {{mul, 0, 1}, {sub, 3, 2}}, {4}, 2},
      {"a·b + 0.5", {{mul, 0, 1}, {shift, 3, -1, 0.5f}}, {4}, 1},
      {"2a + 3b", {{scale, 0, -1, 2}, {scale, 1, -1, 3}, {add, 3, 4}}, {5}, 1},
      {"2a - 3b", {{scale, 0, -1, 2}, {scale, 1, -1, 3}, {sub, 3, 4}}, {5}, 1},
      {"a - 3b", {{scale, 1, -1, 3}, {sub, 0, 3}}, {4}, 1},
      {"2a + b", {{scale, 0, -1, 2}, {add, 3, 1}}, {4}, 1},
      {"a·b + 2c", {{mul, 0, 1}, {scale, 2, -1, 2}, {add, 3, 4}}, {5}, 2},
      {"a·b + a·b stays", {{mul, 0, 1}, {add, 3, 3}}, {4}, 2},
      {"a product that is wanted stays", {{mul, 0, 1}, {add, 3, 2}}, {3, 4}, 2},
      {"a product read twice stays", {{mul, 0, 1}, {add, 3, 2}, {sub, 4, 3}}, {5}, 3},
      {"a / (√b·c + 0.5)", root, {6}, 1},
      {"a root that is wanted stays", root, {3, 6}, 3},
      {"a product with a root that is wanted stays", root, {4, 6}, 4},
      {"a sum with a root that is wanted stays", root, {5, 6}, 3},
      {"a sum with a root that is read twice stays", read_twice, {7}, 4},
      {"a multiple of a root stays",
       {{sqrt, 1}, {scale, 3, -1, 2}, {shift, 4, -1, 0.5f}, {div, 0, 5}},
       {6},
       4},
      {"a root alone stays", {{sqrt, 1}, {shift, 3, -1, 0.5f}, {div, 0, 4}}, {5}, 3},
      {"a sum with a root, divided",
       {{sqrt, 1}, {mul, 3, 2}, {shift, 4, -1, 0.5f}, {div, 5, 0}},
       {6},
       3},
      {"a result before a fused sum", {{mul, 0, 1}, {mul, 3, 1}, {add, 4, 2}}, {3, 5}, 2},
      {"one sum as two results, read on", {{add, 0, 1}, {copy, 3}, {mul, 3, 2}}, {3, 4, 5}, 2},
      {"a chain", {{mul, 0, 1}, {add, 3, 2}, {mul, 4, 0}, {sub, 1, 5}}, {6}, 2}};
  for (const Case& test : cases) {
    ElementwiseAttrs attrs{.inputs = 3, .code = test.code, .results = test.results};
    EXPECT_EQ(make_tape(attrs).steps.size(), test.steps) << test.name;
    OpCase c{.name = test.name, .op = &elementwise_op(), .attrs = Attrs::of(attrs)};
    // Longer than a block, and with a rest that fills no vector.
    c.in.assign(3, TensorType{DType::f32, {3, 277}});
    c.low_inputs = all_bits;
    c.low_outputs = all_bits;
    c.gradient = false;
    if (test.code[0].function == sqrt)
      c.fill = [](int input, RefTensor& t) { fill(input > 0 ? sqrt : add, input, t); };
    check(c);
  }
}

TEST(Elementwise, TapeCopiesOnlyInputsOfSeveralResults) {
  // t0 = i0 + i1; t1 = copy t0; t2 = copy i0
  ElementwiseAttrs attrs{.inputs = 2,
                         .code = {{.function = Ew::add, .a = 0, .b = 1}, {.a = 2}, {.a = 0}},
                         .results = {2, 3, 4}};
  Tape tape = make_tape(attrs);
  ASSERT_EQ(tape.steps.size(), 2);
  EXPECT_EQ(tape.results, (std::vector<int32_t>{2, 2, 3}));
  attrs = {.inputs = 1, .code = {{.a = 0}}, .results = {1}};
  tape = make_tape(attrs);
  EXPECT_TRUE(tape.steps.empty());
  EXPECT_EQ(tape.results, std::vector<int32_t>{0});
}

// Outputs take the places of inputs that other outputs copy; the sum is written in place and
// rounded from there.
TEST(Elementwise, ResultsMaySwapPlacesWithInputs) {
  constexpr int64_t n = 50'000;
  TensorType f32{DType::f32, {n}}, low{DType::bf16, {n}};
  ElementwiseAttrs attrs{
      .inputs = 2,
      .code = {{.a = 0}, {.a = 1}, {.function = Ew::add, .a = 0, .b = 1}, {.a = 4}},
      .results = {2, 4, 3, 5}};
  auto kernel = make_cpu_kernel(
      elementwise_op(), {.attrs = Attrs::of(attrs), .in = {f32, f32}, .out = {f32, f32, low, low}});
  std::vector<float> a(n), b(n), sum(n);
  std::vector<bf16> low_b(n), low_sum(n);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i), b[i] = 0.125f;
  const void* in[] = {a.data(), b.data()};
  void* out[] = {b.data(), a.data(), low_b.data(), low_sum.data()};
  kernel->run({in, out, nullptr});
  for (size_t i = 0; i < a.size(); ++i) {
    auto x = static_cast<float>(i);
    ASSERT_EQ(b[i], x);
    ASSERT_EQ(a[i], x + 0.125f);
    ASSERT_EQ(static_cast<float>(low_b[i]), 0.125f);
    ASSERT_EQ(low_sum[i].bits, bf16(x + 0.125f).bits);
  }
}

template <class T>
void expect_rounds(DType dtype) {
  std::vector<float> x{1.0f,     1.00390625f, 1.01171875f, -3.4e38f, 1e-40f, -0.0f,
                       NAN,      INFINITY,    0.1f,        -2.7f,    65504,  65519.996f,
                       65280.5f, 65520,       -1e6f,       3e-8f,    6e-8f,  -5.9e-5f};
  std::vector<T> y(x.size());
  Shape shape{static_cast<int64_t>(x.size())};
  auto kernel = make_cpu_kernel(elementwise_op(), {.attrs = single(Ew::copy),
                                                   .in = {TensorType{DType::f32, shape}},
                                                   .out = {TensorType{dtype, shape}}});
  const void* in = x.data();
  void* out = y.data();
  kernel->run({&in, &out, nullptr});
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i].bits, T(x[i]).bits) << x[i];
}

TEST(Cast, RoundsToNearestEvenAndKeepsNan) {
  expect_rounds<bf16>(DType::bf16);
  expect_rounds<f16>(DType::f16);
}

TEST(Cast, GradientHasTheInputsDtype) {
  Program program;
  Builder b(program);
  Value x = b.input("x", DType::bf16, {3});
  Value y = cast(b, x, DType::f32);
  EXPECT_EQ(b.type(y).dtype, DType::f32);
  EXPECT_EQ(cast(b, y, DType::f32), y);
  OpCall call = program.call(program.order.back());
  Value dy = b.input("dy", DType::f32, {3});
  std::vector<Value> inputs{x}, outputs{y}, grads{dy};
  std::vector<bool> needed{true};
  auto dx = elementwise_op().vjp({b, call, inputs, outputs, grads, needed});
  EXPECT_EQ(b.type(dx[0]).dtype, DType::bf16);
}

TEST(Elementwise, NanIsNeverHidden) {
  for (Ew f : {Ew::relu, Ew::gelu, Ew::gelu_exact, Ew::silu, Ew::exp, Ew::tanh, Ew::sigmoid,
               Ew::sqrt, Ew::log, Ew::copy, Ew::square}) {
    OpCall call{.attrs = single(f), .in = {TensorType{DType::f32, {9}}}};
    call.out = elementwise_op().infer(call);
    auto kernel = make_elementwise_kernel(call);
    float x[9], y[9];
    std::fill_n(x, 9, std::nanf(""));
    const void* in[] = {x};
    void* out[] = {y};
    kernel->run({in, out, nullptr});
    for (float v : y) EXPECT_TRUE(std::isnan(v)) << name_of(f);
  }
}

TEST(Elementwise, DerivativesFarOutAreFinite) {
  for (Ew f : {Ew::gelu_derivative, Ew::gelu_exact_derivative, Ew::silu_derivative, Ew::gelu,
               Ew::gelu_exact, Ew::silu}) {
    OpCall call{.attrs = single(f), .in = {TensorType{DType::f32, {4}}}};
    call.out = elementwise_op().infer(call);
    auto kernel = make_elementwise_kernel(call);
    float x[4] = {1e30f, -1e30f, 120.0f, -120.0f}, y[4];
    const void* in[] = {x};
    void* out[] = {y};
    kernel->run({in, out, nullptr});
    for (int i = 0; i < 4; ++i) {
      double expected = function_of(f).value(std::copysign(100.0, x[i]), 0, 0);
      if (f == Ew::gelu || f == Ew::gelu_exact || f == Ew::silu)
        expected = x[i] > 0 ? static_cast<double>(x[i]) : 0;
      EXPECT_NEAR(y[i], expected, 1e-6 * std::abs(expected) + 1e-30) << name_of(f) << x[i];
    }
  }
}

}  // namespace
}  // namespace anneal
