#include "anneal/ops/testing/op_check.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <cstring>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ir/interpret.hpp"
#include "anneal/ops/registry.hpp"

namespace anneal::testing {
namespace {

constexpr size_t guard = 64;
constexpr unsigned char guard_byte = 0xA5;

// A tensor's bytes between two guards.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes, unsigned char fill = 0xFF)
      : storage_(bytes + 3 * guard, guard_byte), bytes_(bytes) {
    auto address = reinterpret_cast<uintptr_t>(storage_.data()) + guard;
    begin_ = storage_.data() + guard + (guard - address % guard) % guard;
    std::memset(begin_, fill, bytes);
  }
  void* data() { return begin_; }
  const unsigned char* bytes() const { return begin_; }
  size_t size() const { return bytes_; }
  bool intact() const {
    for (const unsigned char* p = storage_.data(); p < storage_.data() + storage_.size(); ++p)
      if ((p < begin_ || p >= begin_ + bytes_) && *p != guard_byte) return false;
    return true;
  }

 private:
  std::vector<unsigned char> storage_;
  unsigned char* begin_;
  size_t bytes_;
};

void store(const RefTensor& from, DType dtype, void* to) {
  visit(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* p = static_cast<T*>(to);
    for (double x : from.data) *p++ = static_cast<T>(x);
  });
}

RefTensor load(const TensorType& type, const void* from) {
  RefTensor t{type.shape, std::vector<double>(static_cast<size_t>(type.shape.elements()))};
  visit(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* p = static_cast<const T*>(from);
    for (double& x : t.data) {
      if constexpr (std::is_arithmetic_v<T>)
        x = static_cast<double>(*p++);
      else
        x = static_cast<double>(static_cast<float>(*p++));
    }
  });
  return t;
}

OpCall call_of(const OpCase& c, std::optional<DType> low = {}) {
  OpCall call{.attrs = c.attrs, .in = c.in};
  if (low)
    for (size_t i = 0; i < call.in.size(); ++i)
      if (call.in[i] && (c.low_inputs & bit(static_cast<int>(i)))) call.in[i]->dtype = *low;
  call.out = c.op->infer(call);
  if (low)
    for (size_t o = 0; o < call.out.size(); ++o)
      if (c.low_outputs & bit(static_cast<int>(o))) call.out[o].dtype = *low;
  return call;
}

// What a dtype holds of these numbers.
RefTensor rounded(const RefTensor& t, DType dtype) {
  TensorType type{dtype, t.shape};
  GuardedBuffer buffer(static_cast<size_t>(type.bytes()));
  store(t, dtype, buffer.data());
  return load(type, buffer.data());
}

// Inputs as the dtypes of the call hold them.
std::vector<RefTensor> make_inputs(const OpCase& c, const OpCall& call) {
  std::vector<RefTensor> result(call.in.size());
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (!call.in[i]) continue;
    const auto& type = *call.in[i];
    RefTensor t{type.shape, std::vector<double>(static_cast<size_t>(type.shape.elements()))};
    if (is_float(type.dtype))
      for (size_t e = 0; e < t.data.size(); ++e)
        t.data[e] = 2.0 * uniform_float(philox(hash64(c.name, i), e, 0)[0]) - 1.0;
    if (c.fill) c.fill(static_cast<int>(i), t);
    result[i] = rounded(t, type.dtype);
  }
  return result;
}

std::vector<const RefTensor*> pointers(const OpCall& call, const std::vector<RefTensor>& tensors) {
  std::vector<const RefTensor*> p;
  for (size_t i = 0; i < tensors.size(); ++i) p.push_back(call.in[i] ? &tensors[i] : nullptr);
  return p;
}

// Runs the kernel on fresh guarded buffers; output `alias.output` lies in input `alias.input`'s
// place for each alias given. Returns the outputs' bytes.
std::vector<std::vector<unsigned char>> run_kernel(const std::string& name, const Kernel& kernel,
                                                   const OpCall& call,
                                                   const std::vector<RefTensor>& inputs,
                                                   const std::vector<Alias>& aliases) {
  std::vector<GuardedBuffer> in, out;
  in.reserve(call.in.size());
  out.reserve(call.out.size());
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  for (size_t i = 0; i < call.in.size(); ++i) {
    in.emplace_back(call.in[i] ? static_cast<size_t>(call.in[i]->bytes()) : 0);
    if (call.in[i]) store(inputs[i], call.in[i]->dtype, in[i].data());
    in_pointers.push_back(call.in[i] ? in[i].data() : nullptr);
  }
  std::vector<bool> overwritten(call.in.size(), false);
  for (size_t o = 0; o < call.out.size(); ++o) {
    out.emplace_back(static_cast<size_t>(call.out[o].bytes()));
    void* place = out[o].data();
    for (const auto& alias : aliases)
      if (alias.output == static_cast<int>(o)) {
        place = in[static_cast<size_t>(alias.input)].data();
        overwritten[static_cast<size_t>(alias.input)] = true;
      }
    out_pointers.push_back(place);
  }
  std::vector<std::vector<unsigned char>> before;
  for (const auto& b : in) before.emplace_back(b.bytes(), b.bytes() + b.size());
  GuardedBuffer workspace(static_cast<size_t>(kernel.workspace_bytes()));
  kernel.run({in_pointers.data(), out_pointers.data(), static_cast<std::byte*>(workspace.data())});

  EXPECT_TRUE(workspace.intact()) << name << " writes outside its workspace";
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_TRUE(in[i].intact()) << name << " writes outside input " << i;
    if (!overwritten[i]) {
      EXPECT_EQ(std::memcmp(before[i].data(), in[i].bytes(), in[i].size()), 0)
          << name << " changes input " << i;
    }
  }
  std::vector<std::vector<unsigned char>> result;
  for (size_t o = 0; o < out.size(); ++o) {
    EXPECT_TRUE(out[o].intact()) << name << " writes outside output " << o;
    auto* p = static_cast<unsigned char*>(out_pointers[o]);
    result.emplace_back(p, p + call.out[o].bytes());
  }
  return result;
}

void expect_close(const std::string& name, double tolerance, const TensorType& type,
                  RefTensor expected, const void* bytes) {
  RefTensor got = load(type, bytes), held = rounded(expected, type.dtype);
  double largest = 1;
  for (size_t e = 0; e < held.data.size(); ++e) {
    if (is_float(type.dtype) && !std::isfinite(held.data[e])) expected.data[e] = held.data[e];
    if (double x = expected.data[e]; std::isfinite(x)) largest = std::max(largest, std::abs(x));
  }
  double eps = type.dtype == DType::f64 ? 0x1p-52 : 0x1p-23;
  double rounding = type.dtype == DType::bf16 ? 0x1p-8 : type.dtype == DType::f16 ? 0x1p-11 : 0;
  double bound = is_float(type.dtype) ? (rounding + tolerance * eps) * largest : 0;
  double worst = 0;
  size_t at = 0;
  for (size_t e = 0; e < got.data.size(); ++e) {
    double error = std::abs(got.data[e] - expected.data[e]);
    if (std::isnan(expected.data[e]) && std::isnan(got.data[e])) continue;
    if (got.data[e] == expected.data[e]) continue;
    if (!(error <= worst)) worst = error, at = e;
    if (std::isnan(error)) break;
  }
  EXPECT_TRUE(worst <= bound) << name << ": element " << at << " of " << type.shape << " is "
                              << got.data[at] << ", expected " << expected.data[at] << ", bound "
                              << bound;
}

// Aliases of the call that the op demands.
std::vector<Alias> demanded(const OpCase& c, const OpCall& call) {
  std::vector<Alias> list(c.op->must_alias.begin(), c.op->must_alias.end());
  for (const auto& a : c.op->accumulate)
    if (call.has(static_cast<size_t>(a.input))) list.push_back({a.output, a.input});
  return list;
}

}  // namespace

void check_kernel(const OpCase& c, std::optional<DType> low) {
  OpCall call = call_of(c, low);
  std::string name = low ? str(c.name, " (", name_of(*low), ")") : c.name;
  auto kernel = make_cpu_kernel(*c.op, call);
  ASSERT_TRUE(kernel) << name << ": no kernel";
  auto inputs = make_inputs(c, call);
  auto expected = interpret_op(*c.op, call, pointers(call, inputs));
  auto aliases = demanded(c, call);

  int threads_before = thread_count();
  std::vector<std::vector<unsigned char>> first;
  for (int threads : {1, 2, 3, 4}) {
    set_threads(threads);
    auto got = run_kernel(name, *kernel, call, inputs, aliases);
    if (threads == 1) {
      first = got;
      for (size_t o = 0; o < got.size(); ++o)
        expect_close(str(name, ", output ", o), c.tolerance, call.out[o], expected[o],
                     got[o].data());
    }
    EXPECT_TRUE(got == first) << name << ": other bits on " << threads << " threads";
  }
  for (const auto& alias : c.op->may_alias) {
    auto o = static_cast<size_t>(alias.output), i = static_cast<size_t>(alias.input);
    if (o >= call.out.size() || !call.has(i) || !(call.out[o] == call.input(i))) continue;
    auto with = aliases;
    with.push_back(alias);
    auto got = run_kernel(name, *kernel, call, inputs, with);
    EXPECT_TRUE(got == first) << name << ": other bits when output " << o << " takes the place of "
                              << "input " << i;
  }
  set_threads(threads_before);
}

void check_low(const OpCase& c) {
  for (DType low : low_dtypes) check_kernel(c, low);
}

void check_gradient(const OpCase& c) {
  OpCall call = call_of(c);
  auto inputs = make_inputs(c, call);
  std::vector<bool> needed;
  for (size_t i = 0; i < call.in.size(); ++i)
    needed.push_back(call.in[i] && is_float(call.in[i]->dtype) &&
                     !(c.op->no_gradient & bit(static_cast<int>(i))));

  Program program;
  Builder b(program);
  std::vector<Value> values, gradient_inputs;
  for (size_t i = 0; i < call.in.size(); ++i)
    values.push_back(call.in[i] ? b.input(str("in", i), call.in[i]->dtype, call.in[i]->shape)
                                : Value{});
  auto outputs = b.emit(*c.op, values, c.attrs);
  values.resize(call.in.size());
  RefState state;
  std::vector<RefTensor> weights(outputs.size());
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (!(c.gradient_outputs & bit(static_cast<int>(o)))) {
      gradient_inputs.emplace_back();
      continue;
    }
    gradient_inputs.push_back(b.input(str("grad", o), DType::f32, b.shape(outputs[o])));
    weights[o].shape = b.shape(outputs[o]);
    for (int64_t e = 0; e < weights[o].shape.elements(); ++e)
      weights[o].data.push_back(
          2.0 * uniform_float(philox(99 + o, static_cast<uint64_t>(e), 7)[0]) - 1.0);
    state.inputs[str("grad", o)] = weights[o];
  }
  b.set_phase(Phase::backward);
  ASSERT_TRUE(c.op->vjp) << c.name << " has no gradient rule";
  auto gradients = c.op->vjp({b, call, values, outputs, gradient_inputs, needed});
  ASSERT_LE(gradients.size(), needed.size()) << c.name;
  gradients.resize(needed.size());
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    ASSERT_TRUE(gradients[i]) << c.name << ": no gradient for input " << i;
    ASSERT_TRUE(b.shape(gradients[i]) == call.input(i).shape) << c.name << ": input " << i;
    b.output(str("d", i), gradients[i]);
  }
  for (size_t i = 0; i < call.in.size(); ++i)
    if (call.in[i]) state.inputs[str("in", i)] = inputs[i];
  interpret(program, state);

  // The weighted sum of the outputs that gradients flow into.
  auto objective = [&]() {
    auto out = interpret_op(*c.op, call, pointers(call, inputs));
    double sum = 0;
    for (size_t o = 0; o < out.size(); ++o)
      for (size_t e = 0; e < weights[o].data.size(); ++e)
        sum += weights[o].data[e] * out[o].data[e];
    return sum;
  };
  // Central differences in FP64 have an error of about h² = 1e-10 relative.
  constexpr double h = 1e-5, bound = 1e-6;
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    const auto& analytic = state.outputs[str("d", i)];
    double largest = 1;
    for (double g : analytic.data) largest = std::max(largest, std::abs(g));
    size_t count = inputs[i].data.size();
    size_t stride = std::max<size_t>(1, count / 64);
    for (size_t e = 0; e < count; e += stride) {
      double x = inputs[i].data[e];
      inputs[i].data[e] = x + h;
      double up = objective();
      inputs[i].data[e] = x - h;
      double down = objective();
      inputs[i].data[e] = x;
      double numeric = (up - down) / (2 * h);
      EXPECT_NEAR(analytic.data[e], numeric, bound * largest)
          << c.name << ": gradient of input " << i << " at element " << e;
    }
  }
}

void check(const OpCase& c) {
  SCOPED_TRACE(c.name);
  check_kernel(c);
  if (c.low_inputs || c.low_outputs) check_low(c);
  if (c.gradient) check_gradient(c);
}

}  // namespace anneal::testing
