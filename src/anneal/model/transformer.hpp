#pragma once

#include <functional>
#include <vector>

#include "anneal/ir/builder.hpp"
#include "anneal/model/config.hpp"
#include "anneal/ops/linear_attention/linear_attention.hpp"

namespace anneal {

// The decoder-only transformer of a config, for one program: what differs between training and
// generation is where attention finds its keys and values.
struct TransformerInputs {
  Value tokens;        // i32 [B,T]
  Value positions;     // i32 [B,T]
  Value first_sample;  // i64 scalar; none: no dropout
  uint64_t seed = 1;   // of dropout masks
  // What mixes the positions of layer i: attention on packed qkv [B,T,(H+2·Hkv)·D] -> [B,T,H·D];
  // linear attention on packed qkv [B,T,H·(2F+D)] -> [B,T,H·D]; and the convolution of the first
  // columns of x [B,T,2·conv_width] with filter [conv_width,K]. The last two are asked for only
  // where the model has such layers.
  std::function<Value(Builder&, int64_t layer, Value qkv)> attention;
  std::function<Value(Builder&, int64_t layer, Value qkv)> linear_attention;
  std::function<Value(Builder&, int64_t layer, Value x, Value filter)> short_conv;
};

// The attributes of linear attention in a model that has it.
LinearAttentionAttrs linear_attention_attrs(const ModelConfig& config);

// The final hidden state after the last norm, [B,T,C]. Parameters are created on first use.
Value transformer(Builder& b, const ModelConfig& config, const TransformerInputs& inputs);

// The weight of the output head [V,C]: the token embedding where they are tied.
Value head_weight(Builder& b, const ModelConfig& config);

// By what the model's rope_scaling divides the angle of each pair that turns in a head.
std::vector<float> rope_factors(const ModelConfig& config);

}  // namespace anneal
