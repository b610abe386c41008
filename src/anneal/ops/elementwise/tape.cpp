#include "anneal/ops/elementwise/tape.hpp"

#include <optional>

namespace anneal {
namespace {

class TapeMaker {
 public:
  explicit TapeMaker(const ElementwiseAttrs& attrs)
      : attrs_(attrs), uses_(attrs.code.size(), 0), absorbed_(attrs.code.size(), false) {
    for (const EwInstruction& code : attrs.code)
      for (int32_t operand : {code.a, code.b})
        if (operand >= attrs.inputs) ++uses_[index(operand)];
    for (int32_t result : attrs.results)
      if (result >= attrs.inputs) ++uses_[index(result)];
  }

  Tape make() {
    std::vector<TapeStep> steps;
    for (const EwInstruction& code : attrs_.code) steps.push_back(step_of(code));
    Tape tape;
    std::vector<int32_t> moved(steps.size(), -1);
    auto operand = [&](int32_t i) { return i < attrs_.inputs ? i : moved[index(i)]; };
    for (size_t i = 0; i < steps.size(); ++i) {
      if (absorbed_[i]) continue;
      if (attrs_.code[i].function == Ew::copy && is_free(operand(attrs_.code[i].a))) {
        moved[i] = operand(attrs_.code[i].a);
        continue;
      }
      TapeStep step = steps[i];
      for (int32_t* o : {&step.a, &step.b, &step.c})
        if (*o >= 0) *o = operand(*o);
      moved[i] = attrs_.inputs + static_cast<int32_t>(tape.steps.size());
      tape.steps.push_back(step);
    }
    for (int32_t result : attrs_.results) tape.results.push_back(operand(result));
    return tape;
  }

 private:
  size_t index(int32_t operand) const { return static_cast<size_t>(operand - attrs_.inputs); }

  // Whether a copy of the operand is the operand: outputs are written one after another, and each
  // may take the place of an input.
  bool is_free(int32_t operand) const {
    return operand >= attrs_.inputs || attrs_.results.size() == 1;
  }

  // The instruction behind an operand, if it is this function and nobody else reads it.
  const EwInstruction* sole(int32_t operand, Ew function) const {
    if (operand < attrs_.inputs || uses_[index(operand)] != 1) return nullptr;
    const EwInstruction& code = attrs_.code[index(operand)];
    return code.function == function && !absorbed_[index(operand)] ? &code : nullptr;
  }
  void absorb(int32_t operand) { absorbed_[index(operand)] = true; }

  // k·x of an operand: itself, or what a sole scale takes a multiple of.
  std::pair<int32_t, float> multiple(int32_t operand) {
    const EwInstruction* scale = sole(operand, Ew::scale);
    if (!scale) return {operand, 1.0f};
    absorb(operand);
    return {scale->a, scale->constant};
  }

  // a / (sqrt(b)·c + k), whose product the sum has absorbed.
  std::optional<TapeStep> division_by_root(const EwInstruction& code) {
    const EwInstruction* sum = sole(code.b, Ew::shift);
    if (!sum || sum->a < attrs_.inputs || !absorbed_[index(sum->a)]) return std::nullopt;
    const EwInstruction& product = attrs_.code[index(sum->a)];
    const EwInstruction* root = sole(product.a, Ew::sqrt);
    if (!root) return std::nullopt;
    absorb(code.b);
    absorb(product.a);
    return TapeStep{.fused = EwFused::divide_by_root,
                    .a = code.a,
                    .b = root->a,
                    .c = product.b,
                    .k = sum->constant};
  }

  TapeStep step_of(const EwInstruction& code) {
    bool sum = code.function == Ew::add, difference = code.function == Ew::sub;
    if (sum || difference) {
      if (const EwInstruction* product = sole(code.b, Ew::mul)) {
        absorb(code.b);
        return {.fused = sum ? EwFused::multiply_add : EwFused::multiply_subtract,
                .a = product->a,
                .b = product->b,
                .c = code.a};
      }
      if (const EwInstruction* product = sum ? sole(code.a, Ew::mul) : nullptr) {
        absorb(code.a);
        return {.fused = EwFused::multiply_add, .a = product->a, .b = product->b, .c = code.b};
      }
      if (sole(code.a, Ew::scale) || sole(code.b, Ew::scale)) {
        auto [a, k] = multiple(code.a);
        auto [b, l] = multiple(code.b);
        return {.fused = EwFused::combine, .a = a, .b = b, .k = k, .l = sum ? l : -l};
      }
    }
    if (code.function == Ew::div)
      if (auto step = division_by_root(code)) return *step;
    if (const EwInstruction* product =
            code.function == Ew::shift ? sole(code.a, Ew::mul) : nullptr) {
      absorb(code.a);
      return {
          .fused = EwFused::multiply_shift, .a = product->a, .b = product->b, .k = code.constant};
    }
    return {.function = code.function, .a = code.a, .b = code.b, .k = code.constant};
  }

  const ElementwiseAttrs& attrs_;
  std::vector<int> uses_;
  std::vector<bool> absorbed_;
};

}  // namespace

Tape make_tape(const ElementwiseAttrs& attrs) { return TapeMaker(attrs).make(); }

}  // namespace anneal
