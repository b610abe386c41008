#include "anneal/ops/elementwise/cpu.hpp"

#include <algorithm>
#include <array>

#include "anneal/device/cpu/convert_kernel.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/elementwise/broadcast.hpp"
#include "anneal/ops/elementwise/kernel.hpp"

namespace anneal {
namespace {

constexpr int64_t block = 256;      // floats in flight between instructions: 1 KiB a register
constexpr int64_t grain = 1 << 14;  // elements a task
constexpr int64_t line = 64;        // bytes of a cache line
constexpr int max_registers = 40;   // on the stack: 40 KiB
constexpr size_t max_steps = 64;    // more than fusion makes

// Runs a tape block by block. Registers hold f32 blocks: one for every input that cannot be read in
// place (low precision, scalars, columns) and one for every intermediate that is alive.
class ElementwiseKernel final : public Kernel {
 public:
  explicit ElementwiseKernel(const OpCall& call);
  bool fits() const { return registers_ <= max_registers && steps_.size() <= max_steps; }
  void run(const KernelArgs& args) const override;

 private:
  struct Input {
    Broadcast form;
    DType dtype;
    int buffer = -1;  // register, or -1: read in place
  };
  // With operands as inputs, or inputs + register.
  struct Step {
    TapeStep tape;
    int out;          // register
    int direct = -1;  // f32 output that takes the result in place of the register
    // Inputs that later steps read in place: none may have the output's place.
    std::vector<int> read_later{};
  };
  struct Output {
    DType dtype;
    int operand;
  };
  // Of each step, whether it writes its output itself.
  using Directly = std::array<bool, max_steps>;

  // Element `at` of input i.
  float element(const KernelArgs& args, int i, int64_t at) const;
  void run_range(const KernelArgs& args, const Directly& directly, int64_t begin,
                 int64_t end) const;
  void prefetch(const KernelArgs& args, int64_t begin, int64_t length, int64_t part) const;

  const ElementwiseKernels& kernels_ =
      *pick(&portable::elementwise, &avx2::elementwise, &avx512::elementwise);
  const ConvertKernels* convert_;
  int64_t elements_ = 0;
  int64_t row_ = 0;  // blocks do not cross multiples of this
  std::vector<Input> inputs_;
  std::vector<int> streamed_;  // inputs of the output's shape
  int64_t step_bytes_ = 0;     // of each, asked for at each step
  std::vector<Step> steps_;
  std::vector<Output> outputs_;
  int registers_ = 0;
};

ElementwiseKernel::ElementwiseKernel(const OpCall& call)
    : convert_(&pick(&portable::convert, &avx2::convert, &avx512::convert)->of(low_dtype(call))) {
  const auto& attrs = call.attrs.as<ElementwiseAttrs>();
  const Tape tape = make_tape(attrs);
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
    if (form == Broadcast::Form::same) streamed_.push_back(i);
    inputs_.push_back(input);
  }
  // Last use of every operand, so that registers are used again.
  std::vector<int> last_use(static_cast<size_t>(n) + tape.steps.size(), -1);
  for (size_t k = 0; k < tape.steps.size(); ++k)
    for (int32_t o : {tape.steps[k].a, tape.steps[k].b, tape.steps[k].c})
      if (o >= 0) last_use[static_cast<size_t>(o)] = static_cast<int>(k);
  for (int32_t r : tape.results)
    last_use[static_cast<size_t>(r)] = static_cast<int>(tape.steps.size());
  std::vector<int> register_of(tape.steps.size(), -1), free_registers;
  auto operand = [&](int32_t index) {
    return index < n ? index : n + register_of[static_cast<size_t>(index - n)];
  };
  for (size_t k = 0; k < tape.steps.size(); ++k) {
    Step step{.tape = tape.steps[k], .out = -1};
    for (int32_t* o : {&step.tape.a, &step.tape.b, &step.tape.c}) {
      if (*o < 0) continue;
      int32_t used = *o;
      *o = operand(used);
      // Freed once, however often the step reads it.
      int& last = last_use[static_cast<size_t>(used)];
      if (used < n || last != static_cast<int>(k)) continue;
      last = -1;
      free_registers.push_back(register_of[static_cast<size_t>(used - n)]);
    }
    if (free_registers.empty()) free_registers.push_back(registers_++);
    step.out = register_of[k] = free_registers.back();
    free_registers.pop_back();
    steps_.push_back(step);
  }
  auto lines = block * 4 / line;
  auto parts = std::max<int64_t>(1, static_cast<int64_t>(tape.steps.size()));
  step_bytes_ = (lines + parts - 1) / parts * line;
  for (size_t o = 0; o < tape.results.size(); ++o) {
    int32_t result = tape.results[o];
    outputs_.push_back({.dtype = call.out[o].dtype, .operand = operand(result)});
    if (result < n || call.out[o].dtype != DType::f32) continue;
    auto k = static_cast<size_t>(result - n);
    steps_[k].direct = static_cast<int>(o);
    for (size_t later = k + 1; later < steps_.size(); ++later)
      for (int32_t read : {steps_[later].tape.a, steps_[later].tape.b, steps_[later].tape.c})
        if (read >= 0 && read < n && inputs_[static_cast<size_t>(read)].buffer < 0)
          steps_[k].read_later.push_back(read);
  }
}

void ElementwiseKernel::run(const KernelArgs& args) const {
  int64_t task = grain;
  if (row_ < elements_ && row_ > 0) task = std::max<int64_t>(1, grain / row_) * row_;
  Directly directly{};
  for (size_t k = 0; k < steps_.size(); ++k) {
    const Step& step = steps_[k];
    directly[k] = step.direct >= 0 &&
                  std::none_of(step.read_later.begin(), step.read_later.end(),
                               [&](int i) { return args.in[i] == args.out[step.direct]; });
  }
  parallel_ranges(elements_, task,
                  [&](int64_t begin, int64_t end) { run_range(args, directly, begin, end); });
}

// Asks for part `part` of as many as there are steps of the block of inputs at `begin`, so that
// memory works while the tape runs over the block before: a block is too short a burst for hardware
// to foresee the next one, and all of it at once would hold up the steps' own loads.
void ElementwiseKernel::prefetch(const KernelArgs& args, int64_t begin, int64_t length,
                                 int64_t part) const {
  for (int i : streamed_) {
    int64_t size = size_of(inputs_[static_cast<size_t>(i)].dtype);
    const auto* p = static_cast<const char*>(args.in[i]) + begin * size;
    int64_t end = std::min(length * size, (part + 1) * step_bytes_);
    for (int64_t byte = part * step_bytes_; byte < end; byte += line) __builtin_prefetch(p + byte);
  }
}

float ElementwiseKernel::element(const KernelArgs& args, int i, int64_t at) const {
  DType dtype = inputs_[static_cast<size_t>(i)].dtype;
  if (dtype == DType::f32) return args.input<float>(i)[at];
  float x;
  convert_->widen(args.input<std::byte>(i) + at * size_of(dtype), &x, 1);
  return x;
}

void ElementwiseKernel::run_range(const KernelArgs& args, const Directly& directly, int64_t begin,
                                  int64_t end) const {
  alignas(64) float registers[max_registers][block];
  const int n = static_cast<int>(inputs_.size());
  const float* operand[64];
  for (int i = 0; i < n; ++i)
    if (const auto& input = inputs_[static_cast<size_t>(i)];
        input.form.form == Broadcast::Form::scalar)
      std::fill_n(registers[input.buffer], block, element(args, i, 0));
  for (int64_t e = begin; e < end;) {
    int64_t length = std::min({block, end - e, row_ - e % row_});
    int64_t next = std::min(block, end - e - length), part = 0;
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
      if (input.form.form == Broadcast::Form::column)
        std::fill_n(buffer, length, element(args, i, at));
      else
        convert_->widen(args.input<std::byte>(i) + at * size_of(input.dtype), buffer, length);
    }
    for (size_t s = 0; s < steps_.size(); ++s) {
      const Step& step = steps_[s];
      if (next > 0) prefetch(args, e + length, next, part++);
      float* out = directly[s] ? args.output<float>(step.direct) + e : registers[step.out];
      const TapeStep& t = step.tape;
      const float* b = t.b >= 0 ? operand[t.b] : nullptr;
      if (t.fused == EwFused::none)
        kernels_.run(t.function, operand[t.a], b, t.k, out, length);
      else
        kernels_.run_fused(t.fused, operand[t.a], b, t.c >= 0 ? operand[t.c] : nullptr, t.k, t.l,
                           out, length);
      operand[n + step.out] = out;
    }
    if (steps_.empty() && next > 0) prefetch(args, e + length, next, 0);
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const auto& output = outputs_[o];
      const float* from = operand[output.operand];
      if (output.dtype != DType::f32) {
        convert_->narrow(
            from, args.output<std::byte>(static_cast<int>(o)) + e * size_of(output.dtype), length);
        continue;
      }
      float* to = args.output<float>(static_cast<int>(o)) + e;
      if (to != from) kernels_.run(Ew::copy, from, nullptr, 0, to, length);
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
