#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "anneal/ops/rope/scaling.hpp"

namespace anneal {

// What distinguishes the families, beyond the sizes in ModelConfig.
struct Family {
  std::string_view name;          // ours and Hugging Face's model_type
  std::string_view architecture;  // Hugging Face's class
  // GPT-2 (Radford et al. 2019): learned positions, LayerNorm, biases, GELU-tanh, Conv1D layout.
  // The others, like Llama (Touvron et al. 2023): rotary positions, RMSNorm, SwiGLU, no biases
  // but for what follows.
  bool gpt2 = false;
  bool qkv_bias = false;
};

inline constexpr Family families[] = {
    {.name = "gpt2", .architecture = "GPT2LMHeadModel", .gpt2 = true, .qkv_bias = true},
    {.name = "llama", .architecture = "LlamaForCausalLM"},
    {.name = "mistral", .architecture = "MistralForCausalLM"},
    {.name = "qwen2", .architecture = "Qwen2ForCausalLM", .qkv_bias = true},
};

// Null if there is no such family.
inline const Family* find_family(std::string_view name) {
  for (const Family& family : families)
    if (family.name == name) return &family;
  return nullptr;
}

// The names of all families, as a message lists them.
inline std::string family_names() {
  std::string names;
  for (const Family& family : families)
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

// What a model is, whatever it is trained on. Zero stands for "derive it" where a comment says so.
struct ModelConfig {
  std::string family = "gpt2";  // one of `families`
  int64_t layers = 6;
  int64_t heads = 6;
  int64_t kv_heads = 0;    // 0: heads; gpt2 has no other choice
  int64_t width = 384;     // residual width
  int64_t head_width = 0;  // 0: width / heads; gpt2 has no other choice
  int64_t hidden = 0;      // feed-forward width; 0: gpt2's 4·width; the others must say it
  int64_t context = 256;
  int64_t vocab_size = 0;         // 0: the tokenizer's
  double dropout = 0.0;           // of what attention and feed-forward add to the stream
  double attention_dropout = -1;  // of attention weights; negative: as dropout
  double embedding_dropout = -1;  // of what enters the first block; negative: as dropout
  bool tie_embeddings = true;
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  std::string init;  // a Hugging Face model directory to start from; "": random

  bool gpt2() const { return family == "gpt2"; }
  bool qkv_bias() const {
    const Family* traits = find_family(family);
    return traits && traits->qkv_bias;
  }
  int64_t head_dim() const { return head_width ? head_width : width / heads; }
  double attention_dropout_rate() const {
    return attention_dropout < 0 ? dropout : attention_dropout;
  }
  double embedding_dropout_rate() const {
    return embedding_dropout < 0 ? dropout : embedding_dropout;
  }
  // Elements of all matrices, once every size is known; in floating point, since sizes that a file
  // or a user made up may not fit 64 bits.
  double matrix_elements() const {
    double w = static_cast<double>(width), f = static_cast<double>(hidden);
    double attention =
        w * static_cast<double>(2 * heads + 2 * kv_heads) * static_cast<double>(head_dim());
    double feed_forward = (gpt2() ? 2 : 3) * w * f;
    double tables = static_cast<double>(vocab_size) * (tie_embeddings ? 1 : 2) +
                    (gpt2() ? static_cast<double>(context) : 0);
    return static_cast<double>(layers) * (attention + feed_forward) + tables * w;
  }
  static constexpr double most_matrix_elements = 0x1p50;
  bool operator==(const ModelConfig&) const = default;
};

}  // namespace anneal
