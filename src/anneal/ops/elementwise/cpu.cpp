#include "anneal/ops/elementwise/cpu.hpp"

#include <algorithm>

#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/elementwise/broadcast.hpp"
#include "anneal/ops/elementwise/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t block = 256;      // floats in flight between instructions: 1 KiB a register
constexpr int64_t grain = 1 << 14;  // elements a task
constexpr int max_registers = 40;   // on the stack: 40 KiB

// Runs a tape block by block. Registers hold f32 blocks: one for every input that cannot be read in
// place (low precision, scalars, columns) and one for every intermediate that is alive.
class ElementwiseKernel final : public Kernel {
 public:
  explicit ElementwiseKernel(const OpCall& call);
  bool fits() const { return registers_ <= max_registers; }
  void run(const KernelArgs& args) const override;

 private:
  struct Input {
    Broadcast form;
    DType dtype;
    int buffer = -1;  // register, or -1: read in place
  };
  struct Step {
    Ew function;
    int a, b;    // operand: input i, or inputs + register
    int out;     // register
    int direct;  // output that takes the result in place of the register, or -1
    float constant;
  };
  struct Output {
    DType dtype;
    int operand;
    bool written;  // by the step itself
  };

  void run_range(const KernelArgs& args, int64_t begin, int64_t end) const;

  const ElementwiseKernels& kernels_ =
      *pick(&portable::elementwise, &avx2::elementwise, &avx512::elementwise);
  int64_t elements_ = 0;
  int64_t row_ = 0;  // blocks do not cross multiples of this
  std::vector<Input> inputs_;
  std::vector<Step> steps_;
  std::vector<Output> outputs_;
  int registers_ = 0;
};

ElementwiseKernel::ElementwiseKernel(const OpCall& call) {
  const auto& attrs = call.attrs.as<ElementwiseAttrs>();
  const Shape& shape = call.out[0].shape;
  int n = attrs.inputs;
  elements_ = row_ = shape.elements();
  for (int i = 0; i < n; ++i) {
    const auto& type = call.input(static_cast<size_t>(i));
    Input input{.form = broadcast_of(type.shape, shape), .dtype = type.dtype};
    auto form = input.form.form;
    bool by_rows = form == Broadcast::Form::suffix || form == Broadcast::Form::column;
    if (by_rows) row_ = shape.row_length();
    bool in_place = type.dtype == DType::f32 &&
                    (form == Broadcast::Form::same || form == Broadcast::Form::suffix);
    if (!in_place) input.buffer = registers_++;
    inputs_.push_back(input);
  }
  // Last use of every operand, so that registers are used again.
  std::vector<int> last_use(static_cast<size_t>(n) + attrs.code.size(), -1);
  for (size_t k = 0; k < attrs.code.size(); ++k) {
    last_use[static_cast<size_t>(attrs.code[k].a)] = static_cast<int>(k);
    if (attrs.code[k].b >= 0) last_use[static_cast<size_t>(attrs.code[k].b)] = static_cast<int>(k);
  }
  for (int32_t r : attrs.results)
    last_use[static_cast<size_t>(r)] = static_cast<int>(attrs.code.size());
  std::vector<int> register_of(attrs.code.size(), -1), free_registers;
  auto operand = [&](int32_t index) {
    return index < n ? index : n + register_of[static_cast<size_t>(index - n)];
  };
  for (size_t k = 0; k < attrs.code.size(); ++k) {
    const auto& code = attrs.code[k];
    Step step{.function = code.function,
              .a = operand(code.a),
              .b = code.b >= 0 ? operand(code.b) : -1,
              .out = -1,
              .direct = -1,
              .constant = code.constant};
    int32_t operands[] = {code.a, code.b == code.a ? -1 : code.b};
    for (int32_t used : operands)
      if (used >= n && last_use[static_cast<size_t>(used)] == static_cast<int>(k))
        free_registers.push_back(register_of[static_cast<size_t>(used - n)]);
    if (free_registers.empty()) free_registers.push_back(registers_++);
    step.out = register_of[k] = free_registers.back();
    free_registers.pop_back();
    steps_.push_back(step);
  }
  for (size_t o = 0; o < attrs.results.size(); ++o) {
    int32_t result = attrs.results[o];
    Output output{.dtype = call.out[o].dtype, .operand = operand(result), .written = false};
    // The last step may write straight to an f32 output.
    bool last = result == n + static_cast<int32_t>(attrs.code.size()) - 1;
    if (last && output.dtype == DType::f32 && steps_.back().direct < 0) {
      steps_.back().direct = static_cast<int>(o);
      output.written = true;
    }
    outputs_.push_back(output);
  }
  // Another output that reads the same result needs it in the register.
  if (!steps_.empty() && steps_.back().direct >= 0) {
    int readers = 0;
    for (int32_t result : attrs.results)
      readers += result == n + static_cast<int32_t>(attrs.code.size()) - 1;
    if (readers > 1) {
      outputs_[static_cast<size_t>(steps_.back().direct)].written = false;
      steps_.back().direct = -1;
    }
  }
}

void ElementwiseKernel::run(const KernelArgs& args) const {
  int64_t task = grain;
  if (row_ < elements_ && row_ > 0) task = std::max<int64_t>(1, grain / row_) * row_;
  parallel_ranges(elements_, task,
                  [&](int64_t begin, int64_t end) { run_range(args, begin, end); });
}

void ElementwiseKernel::run_range(const KernelArgs& args, int64_t begin, int64_t end) const {
  alignas(64) float registers[max_registers][block];
  const int n = static_cast<int>(inputs_.size());
  const float* operand[64];
  for (int i = 0; i < n; ++i)
    if (const auto& input = inputs_[static_cast<size_t>(i)];
        input.form.form == Broadcast::Form::scalar) {
      float x = input.dtype == DType::f32 ? *args.input<float>(i)
                                          : static_cast<float>(*args.input<bf16>(i));
      std::fill_n(registers[input.buffer], block, x);
    }
  for (int r = 0; r < registers_; ++r) operand[n + r] = registers[r];
  for (int64_t e = begin; e < end;) {
    int64_t length = std::min({block, end - e, row_ - e % row_});
    for (int i = 0; i < n; ++i) {
      const auto& input = inputs_[static_cast<size_t>(i)];
      int64_t at = input.form.index(e);
      if (input.buffer < 0) {
        operand[i] = args.input<float>(i) + at;
        continue;
      }
      float* buffer = registers[input.buffer];
      operand[i] = buffer;
      if (input.form.form == Broadcast::Form::scalar) continue;
      if (input.form.form == Broadcast::Form::column) {
        float x = input.dtype == DType::f32 ? args.input<float>(i)[at]
                                            : static_cast<float>(args.input<bf16>(i)[at]);
        std::fill_n(buffer, length, x);
      } else {
        kernels_.widen(args.input<bf16>(i) + at, buffer, length);
      }
    }
    for (const auto& step : steps_) {
      float* out = step.direct >= 0 ? args.output<float>(step.direct) + e : registers[step.out];
      kernels_.run(step.function, operand[step.a], step.b >= 0 ? operand[step.b] : nullptr,
                   step.constant, out, length);
    }
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const auto& output = outputs_[o];
      if (output.written) continue;
      const float* from = operand[output.operand];
      if (output.dtype == DType::f32)
        kernels_.run(Ew::copy, from, nullptr, 0, args.output<float>(static_cast<int>(o)) + e,
                     length);
      else
        kernels_.narrow(from, args.output<bf16>(static_cast<int>(o)) + e, length);
    }
    e += length;
  }
}

}  // namespace

std::unique_ptr<Kernel> make_elementwise_kernel(const OpCall& call) {
  auto kernel = std::make_unique<ElementwiseKernel>(call);
  if (!kernel->fits()) return nullptr;
  return kernel;
}

}  // namespace anneal
