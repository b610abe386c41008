#pragma once

#include <functional>
#include <optional>
#include <string>

#include "anneal/ir/builder.hpp"
#include "anneal/ops/kernel.hpp"

namespace anneal::testing {

// One op at one set of types. From one case a test gets four checks: see check().
struct OpCase {
  std::string name;
  const OpDef* op = nullptr;
  Attrs attrs{};
  std::vector<std::optional<TensorType>> in{};
  // Fills input i; the default draws U(-1, 1) for floats and zeros for integers.
  std::function<void(int i, RefTensor& tensor)> fill{};
  // |kernel − reference| ≤ (rounding + tolerance · eps) · max(1, max|reference|), eps being that of
  // f32, or of f64 where the output is f64. Rounding is what storing an output in 16 bits may cost:
  // 2^-8 in bf16, which has 8 bits of significand, and 2^-11 in f16, which has 11. What the
  // output's type holds as infinity must come out so. State the reason beside the number when it is
  // not the default.
  double tolerance = 32;
  // Inputs (bits) to turn into low precision, and outputs likewise, for a round of the kernel check
  // in bf16 and one in f16.
  uint32_t low_inputs = 0;
  uint32_t low_outputs = 0;
  // Whether to check the gradient rule, for gradients that flow into these outputs.
  bool gradient = true;
  uint32_t gradient_outputs = 1;
};

// The CPU kernel against the FP64 reference with guard bytes around every buffer and NaN in the
// outputs and the workspace beforehand; the same bits on 1, 2, 3 and 4 threads; in place where the
// op says that an output may or must share an input's place; and accumulated where it can start
// from an input. Then the gradient rule against central differences, both under the interpreter in
// FP64. A failed check is a gtest failure naming the case.
void check(const OpCase& c);

void check_kernel(const OpCase& c, std::optional<DType> low = {});
void check_low(const OpCase& c);  // check_kernel for each of low_dtypes
void check_gradient(const OpCase& c);

}  // namespace anneal::testing
