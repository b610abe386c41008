#include "anneal/model/blocks.hpp"

#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/norm/layernorm.hpp"
#include "anneal/ops/norm/rmsnorm.hpp"
#include "anneal/ops/reduce/sum_to.hpp"

namespace anneal {

Value linear(Builder& b, const std::string& name, Value x, int64_t out,
             const LinearOptions& options) {
  ScopeGuard scope(b, name);
  int64_t in = b.shape(x)[-1];
  bool out_in = options.layout == WeightLayout::out_in;
  Shape shape = out_in ? Shape{out, in} : Shape{in, out};
  Value w = b.parameter("weight", shape, options.role, {Init::Kind::normal, options.deviation});
  Value bias = options.bias ? b.parameter("bias", {out}, Role::bias, {}) : Value{};
  return matmul(b, x, w, false, out_in, bias);
}

Value layernorm_block(Builder& b, const std::string& name, Value x, double eps) {
  ScopeGuard scope(b, name);
  int64_t width = b.shape(x)[-1];
  Value gain = b.parameter("gain", {width}, Role::gain, {Init::Kind::ones});
  Value bias = b.parameter("bias", {width}, Role::norm_bias, {});
  return layernorm(b, x, gain, bias, eps);
}

Value rmsnorm_block(Builder& b, const std::string& name, Value x, double eps) {
  ScopeGuard scope(b, name);
  Value gain = b.parameter("gain", {b.shape(x)[-1]}, Role::gain, {Init::Kind::ones});
  return rmsnorm(b, x, gain, eps);
}

Value head_norm_block(Builder& b, Value qkv, const HeadNormAttrs& attrs) {
  auto gain = [&](const char* name) {
    ScopeGuard scope(b, name);
    return b.parameter("gain", {attrs.head_dim}, Role::gain, {Init::Kind::ones});
  };
  Value q = gain("q_norm"), k = gain("k_norm");
  return head_norm(b, qkv, q, k, attrs);
}

Value mlp(Builder& b, const std::string& name, Value x, std::span<const int64_t> widths) {
  for (size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) x = gelu(b, x);
    double deviation = std::sqrt(2.0 / static_cast<double>(b.shape(x)[-1]));
    x = linear(b, str(name, ".", i), x, widths[i], {.bias = true, .deviation = deviation});
  }
  return x;
}

Value squared_error(Builder& b, Value prediction, Value target, Value inv_count) {
  Value sum = sum_to(b, square(b, sub(b, prediction, target)), {});
  return mul(b, sum, inv_count);
}

}  // namespace anneal
