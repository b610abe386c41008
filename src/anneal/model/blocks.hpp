#pragma once

#include <functional>
#include <span>

#include "anneal/ir/builder.hpp"
#include "anneal/model/config.hpp"
#include "anneal/ops/head_norm/head_norm.hpp"

namespace anneal {

// Blocks of model code: free functions that emit nodes and create parameters in the current scope.

// Standard deviation of initial matrices and embeddings; residual projections have it divided by
// sqrt(2·layers), so that the residual stream's variance does not grow with depth (GPT-2).
inline constexpr double init_deviation = 0.02;

enum class WeightLayout { in_out, out_in };  // Hugging Face's Conv1D, and its Linear

struct LinearOptions {
  WeightLayout layout = WeightLayout::out_in;
  bool bias = false;
  Role role = Role::matrix;
  double deviation = init_deviation;
};
// x [..., in] -> [..., out], with parameters NAME.weight and NAME.bias.
Value linear(Builder& b, const std::string& name, Value x, int64_t out,
             const LinearOptions& options);

// LayerNorm with parameters NAME.gain and NAME.bias; RMSNorm with NAME.gain. x [..., C].
Value layernorm_block(Builder& b, const std::string& name, Value x, double eps);
Value rmsnorm_block(Builder& b, const std::string& name, Value x, double eps);

// RMSNorm of every query and key head of packed qkv [B,T,(H+2·Hkv)·D], with parameters q_norm.gain
// and k_norm.gain [D].
Value head_norm_block(Builder& b, Value qkv, const HeadNormAttrs& attrs);

// Linear layers NAME.0, NAME.1, … with biases and these widths, GELU between them; initial
// deviation √(2/in). x [..., in] -> [..., last width].
Value mlp(Builder& b, const std::string& name, Value x, std::span<const int64_t> widths);

// Σ (prediction − target)² · inv_count, a scalar: the mean squared error where inv_count is 1 over
// the number of elements of the whole batch.
Value squared_error(Builder& b, Value prediction, Value target, Value inv_count);

}  // namespace anneal
