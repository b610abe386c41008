#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anneal/ir/module.hpp"
#include "anneal/model/config.hpp"
#include "anneal/model/hf_names.hpp"

namespace anneal {

// Low-rank adapters of a model (Hu et al., "LoRA", 2021), in the terms of Hugging Face's PEFT.
struct LoraConfig {
  int64_t rank = 0;    // 0: none
  double alpha = 16;   // what an adapter adds is multiplied by alpha / rank
  double dropout = 0;  // of an adapter's input, in training
  // Names of linear layers, as "q_proj"; empty: all of the blocks.
  std::vector<std::string> targets{};
  bool operator==(const LoraConfig&) const = default;
  double scale() const { return alpha / static_cast<double>(rank); }
};

// A linear layer, as Hugging Face's model has it, that an adapter belongs to: output features
// [first, first + features) of one of our weights.
struct AdapterPlace {
  int32_t weight = -1;  // index of a persistent
  std::string scope;    // of the adapter's parameters: h.3.attn.qkv.q_proj
  int64_t first = 0;
  int64_t features = 0;
  std::string layer;                // model.layers.3.self_attn.q_proj
  HeadInterleaving interleaving{};  // of its output features in files
};

// Where the adapters go, in the order of the model. Throws UsageError naming lora.targets for one
// that the model does not have.
std::vector<AdapterPlace> adapter_places(const Module& module, const ModelConfig& config,
                                         const std::vector<std::string>& targets);

// The names of all layers that an adapter may belong to, sorted.
std::vector<std::string> adapter_targets(const Module& module, const ModelConfig& config);

// The factors of the adapters in a module, under the names that PEFT's files give them:
// base_model.model.LAYER.lora_A.weight [rank, in] and lora_B.weight [out, rank].
std::vector<HfTensor> peft_tensors(const Module& module, const ModelConfig& config,
                                   const std::vector<std::string>& targets);

}  // namespace anneal
