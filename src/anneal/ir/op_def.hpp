#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/base/shape.hpp"
#include "anneal/ir/attrs.hpp"

namespace anneal {

class Builder;
struct OpDef;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  int64_t bytes() const { return shape.elements() * size_of(dtype); }
  bool operator==(const TensorType&) const = default;
};
std::ostream& operator<<(std::ostream& out, const TensorType& type);

// A handle to a value of one program. A default one is "none": an absent optional input, or a
// gradient that does not exist.
struct Value {
  int32_t id = -1;
  explicit operator bool() const { return id >= 0; }
  bool operator==(const Value&) const = default;
};

// What an op is called with: attributes and types. Absent optional inputs are nullopt; `out` is
// empty while shapes are still being inferred.
struct OpCall {
  Attrs attrs{};
  std::vector<std::optional<TensorType>> in{};
  std::vector<TensorType> out{};

  const TensorType& input(size_t i) const {
    ANNEAL_ASSERT(has(i), "missing input ", i);
    return *in[i];
  }
  bool has(size_t i) const { return i < in.size() && in[i].has_value(); }
  bool operator==(const OpCall&) const = default;
};

struct Cost {
  double flops = 0;  // multiply and add count separately
  double bytes = 0;  // read and written, each tensor once
};

// A matrix product that is part of what an op computes: C[m,n] = op(A)·op(B) over k.
struct MatrixProduct {
  int64_t m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false;
  DType a = DType::f32, b = DType::f32, c = DType::f32;
  bool accumulate = false;  // into C
  int64_t count = 1;        // independent products of this shape
  double part = 1;          // of the products that is needed: half of it under a causal mask
  double flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) *
           static_cast<double>(count) * part;
  }
  bool operator==(const MatrixProduct&) const = default;
};

// A tensor of the reference interpreter: every dtype is held as FP64.
struct RefTensor {
  Shape shape;
  std::vector<double> data;
  void add(const RefTensor& other) {
    ANNEAL_ASSERT(data.size() == other.data.size());
    for (size_t i = 0; i < data.size(); ++i) data[i] += other.data[i];
  }
};

// What an op's gradient rule may use. `grads` has one entry per output, none where no gradient
// flows into it. The rule emits nodes through `b` (backward phase) and returns one value per input,
// none where needs(i) is false.
struct VjpContext {
  Builder& b;
  const OpCall& call;
  std::span<const Value> inputs;
  std::span<const Value> outputs;
  std::span<const Value> grads;
  const std::vector<bool>& needed;
  bool needs(size_t i) const { return needed[i]; }
};

// output may start from the value of an input: out[output] = in[input] + result, in place.
struct AccumulateInto {
  int output;
  int input;
};

// output shares the place of input: it must (a partial update) or it may (element by element).
struct Alias {
  int output;
  int input;
};

// Where `input` is the sum of two f32 tensors of its shape, the second may come as optional input
// `addend`, and the sum leaves as one more output, `output`, which exists in that case only.
struct AbsorbsSum {
  int input;
  int addend;
  int output;
};

// The outputs [0, outputs) of this op equal those of `op` called with the first `inputs` inputs, so
// a node of that op can be dropped where this one is computed anyway.
struct Subsumes {
  const OpDef* op = nullptr;
  int inputs = 0;
  int outputs = 0;
};

// Output 0 is linear in input `x`, row by row, and input `weight` is its matrix: what a low-rank
// adapter of that weight reads, and what it adds to.
struct LinearIn {
  int x = -1;
  int weight = -1;
};

// Inputs and outputs beyond the 32nd have no bit, hence none of the properties that bits state.
inline constexpr uint32_t bit(int i) { return i < 32 ? 1u << i : 0; }
inline constexpr uint32_t all_bits = ~0u;

// Everything the system knows about an op. Passes read these facts and never ask which op it is.
struct OpDef {
  std::string_view name;
  int min_inputs = 0;
  int max_inputs = 0;  // inputs beyond min_inputs are optional

  // Shapes and default dtypes of the outputs; throws InternalError on misuse.
  std::vector<TensorType> (*infer)(const OpCall&) = nullptr;
  // FP64 reference; an op without one has `expand`.
  void (*reference)(const OpCall&, std::span<const RefTensor* const> in,
                    std::span<RefTensor> out) = nullptr;
  // The op in simpler ops: its reference and its fallback on a device without a kernel.
  std::vector<Value> (*expand)(Builder&, const OpCall&, std::span<const Value> in) = nullptr;
  // Gradient. Without one, the gradient of `expand`.
  std::vector<Value> (*vjp)(const VjpContext&) = nullptr;
  // Default: no FLOPs, and the bytes of all inputs and outputs.
  Cost (*cost)(const OpCall&) = nullptr;
  // The matrix products that no way of computing the op can do without, for FLOPs of a model and
  // the time that they alone would take. Default: none.
  std::vector<MatrixProduct> (*products)(const OpCall&) = nullptr;

  // Inputs (bits) whose gradient is zero by definition, beside integers.
  uint32_t no_gradient = 0;
  // Inputs read in the low-precision dtype if they have it, and inputs that must have it.
  uint32_t low_accept = 0;
  uint32_t low_require = 0;
  // Outputs that may be stored in low precision; with low_follows only if every float tensor input
  // is.
  uint32_t low_outputs = 0;
  bool low_follows = false;
  // Computes element by element, so that connected nodes of one output shape fuse into one node:
  // `inputs` of the fused node, and for each part which operands it reads.
  bool elementwise = false;
  // Whether, with these attributes, the output is the plain sum of its two inputs.
  bool (*sums_inputs)(const OpCall&) = nullptr;
  // Identity on one rank: a collective whose gradient convention its header states.
  bool collective = false;

  std::span<const Alias> may_alias{};
  std::span<const Alias> must_alias{};
  std::span<const AccumulateInto> accumulate{};
  std::span<const AbsorbsSum> absorbs{};
  Subsumes subsumes{};
  LinearIn linear{};
};

Cost cost_of(const OpDef& op, const OpCall& call);
std::vector<MatrixProduct> products_of(const OpDef& op, const OpCall& call);

}  // namespace anneal
