#pragma once

#include <functional>
#include <vector>

#include "anneal/ir/builder.hpp"
#include "anneal/model/config.hpp"

namespace anneal {

// The decoder-only transformer of a config, for one program: what differs between training and
// generation is where attention finds its keys and values.
struct TransformerInputs {
  Value tokens;        // i32 [B,T]
  Value positions;     // i32 [B,T]
  Value first_sample;  // i64 scalar; none: no dropout
  uint64_t seed = 1;   // of dropout masks
  // Attention of layer i on packed qkv [B,T,(H+2·Hkv)·D] -> [B,T,H·D].
  std::function<Value(Builder&, int64_t layer, Value qkv)> attention;
};

// The final hidden state after the last norm, [B,T,C]. Parameters are created on first use.
Value transformer(Builder& b, const ModelConfig& config, const TransformerInputs& inputs);

// The weight of the output head [V,C]: the token embedding where they are tied.
Value head_weight(Builder& b, const ModelConfig& config);

// By what the model's rope_scaling divides the angle of each pair that turns in a head.
std::vector<float> rope_factors(const ModelConfig& config);

}  // namespace anneal
