#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/ops/rope/scaling.hpp"

namespace anneal {

// What of the feed-forward layer is not linear.
enum class Activation {
  swiglu,      // silu(gate)·up, two matrices of `hidden` rows
  gelu_tanh,   // GPT-2's approximation of GELU
  gelu_exact,  // GELU by the error function
};

// How the positions of a layer are mixed.
enum class Mixer {
  attention,  // softmax attention
  linear,     // linear attention, see ops/linear_attention
  conv,       // a short convolution, gated
};

// Whose names and layouts the tensors of a model directory have.
enum class Naming { gpt2, llama, gpt_neox, based };

// What distinguishes the families, beyond the sizes in ModelConfig: the one table of it.
struct Family {
  std::string_view name;          // ours and Hugging Face's model_type
  std::string_view architecture;  // Hugging Face's class
  Naming naming = Naming::llama;
  Activation activation = Activation::swiglu;
  bool rotary = true;         // rotary positions; else learned ones
  bool layernorm = false;     // LayerNorm with biases; else RMSNorm
  bool biases = false;        // in every linear layer, and
  bool qkv_bias = false;      // in that of queries, keys and values
  bool head_norm = false;     // RMSNorm of each head's queries and keys, before the rotation
  bool in_out = false;        // matrices are stored [in, out] (Hugging Face's Conv1D)
  bool free_heads = true;     // kv_heads and head_width may be chosen
  bool neox_options = false;  // has activation, rotary_fraction and parallel_residual
  bool windows = false;       // has window and window_from
  bool mixers = false;        // has mixers, feature_dim, conv_taps and conv_width
  int64_t head_width = 0;     // of a config.json that has none; 0: width / heads
};

inline constexpr Family families[] = {
    // Radford et al. 2019
    {.name = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .naming = Naming::gpt2,
     .activation = Activation::gelu_tanh,
     .rotary = false,
     .layernorm = true,
     .biases = true,
     .qkv_bias = true,
     .in_out = true,
     .free_heads = false},
    // Touvron et al. 2023, and its descendants
    {.name = "llama", .architecture = "LlamaForCausalLM"},
    {.name = "mistral", .architecture = "MistralForCausalLM", .windows = true},
    {.name = "qwen2", .architecture = "Qwen2ForCausalLM", .qkv_bias = true, .windows = true},
    {.name = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .head_norm = true,
     .windows = true,
     .head_width = 128},
    // Black et al. 2022; Pythia (Biderman et al. 2023)
    {.name = "gpt_neox",
     .architecture = "GPTNeoXForCausalLM",
     .naming = Naming::gpt_neox,
     .activation = Activation::gelu_exact,
     .layernorm = true,
     .biases = true,
     .qkv_bias = true,
     .free_heads = false,
     .neox_options = true},
    // Arora et al. 2024
    {.name = "based",
     .architecture = "GPTLMHeadModel",
     .naming = Naming::based,
     .free_heads = false,
     .windows = true,
     .mixers = true},
};

// What ModelConfig::mixers calls a Mixer, in the order of that enumeration.
inline constexpr std::string_view mixer_names[] = {"attention", "linear", "conv"};

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
  std::string family = "gpt2";  // one of `families`; what a key says of families is in that table
  int64_t layers = 6;
  int64_t heads = 6;
  int64_t kv_heads = 0;    // 0: heads; without free_heads no other choice
  int64_t width = 384;     // residual width
  int64_t head_width = 0;  // 0: width / heads; without free_heads no other choice
  int64_t hidden = 0;      // feed-forward width; 0: 4·width; with SwiGLU it must be said
  int64_t context = 256;
  int64_t vocab_size = 0;         // 0: the tokenizer's
  double dropout = 0.0;           // of what attention and feed-forward add to the stream
  double attention_dropout = -1;  // of attention weights; negative: as dropout
  double embedding_dropout = -1;  // of what enters the first block; negative: as dropout
  bool tie_embeddings = true;
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  // With windows: tokens that one sees at most, itself among them, in layers from window_from on
  // (0: all before it).
  int64_t window = 0;
  int64_t window_from = 0;
  // With neox_options:
  std::string activation = "gelu";  // exact; or "gelu_tanh"
  double rotary_fraction = 1;       // of each head's columns, the part that turns
  bool parallel_residual = true;    // attention and feed-forward read and add to the same stream
  // With mixers:
  std::vector<std::string> mixers = {
      "conv", "linear", "attention", "conv",
      "conv"};               // of the
                             // layers, by mixer_names; a list shorter than they are repeats
  int64_t feature_dim = 16;  // of the queries and keys of linear attention
  int64_t conv_taps = 3;     // tokens that a convolution sees, the last one its own
  int64_t conv_width = 0;    // 0: 2·width
  std::string init;          // a Hugging Face model directory to start from; "": random

  // Throws UsageError if there is no such family.
  const Family& traits() const {
    if (const Family* found = find_family(family)) return *found;
    throw UsageError(str("[model.family] there is no model family \"", family,
                         "\" (expected one of ", family_names(), ")"));
  }
  Activation activation_function() const {
    if (!traits().neox_options) return traits().activation;
    return activation == "gelu" ? Activation::gelu_exact : Activation::gelu_tanh;
  }
  // Throws UsageError if mixers has a name that is none, or no name.
  Mixer mixer_of(int64_t layer) const {
    if (!traits().mixers) return Mixer::attention;
    if (mixers.empty()) throw UsageError("[model.mixers] expected at least one name");
    const std::string& name = mixers[static_cast<size_t>(layer) % mixers.size()];
    for (size_t i = 0; i < std::size(mixer_names); ++i)
      if (mixer_names[i] == name) return static_cast<Mixer>(i);
    throw UsageError(str("[model.mixers] there is no mixer \"", name,
                         "\" (expected attention, linear or conv)"));
  }
  int64_t convolved() const { return conv_width ? conv_width : 2 * width; }
  int64_t window_of(int64_t layer) const { return layer >= window_from ? window : 0; }
  bool is_parallel() const { return traits().neox_options && parallel_residual; }
  int64_t head_dim() const { return head_width ? head_width : width / heads; }
  // Columns of a head that turn, as transformers counts them.
  int64_t rotated() const {
    return static_cast<int64_t>(static_cast<double>(head_dim()) * rotary_fraction);
  }
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
    const Family& family_traits = traits();
    if (family_traits.mixers) {
      // Of the largest of the mixers.
      double linear = 2 * w * (w + static_cast<double>(heads) * static_cast<double>(feature_dim));
      double conv = 3 * w * static_cast<double>(convolved());
      attention = std::max({attention, linear, conv});
    }
    double feed_forward = (family_traits.activation == Activation::swiglu ? 3 : 2) * w * f;
    double tables = static_cast<double>(vocab_size) * (tie_embeddings ? 1 : 2) +
                    (family_traits.rotary ? 0 : static_cast<double>(context));
    return static_cast<double>(layers) * (attention + feed_forward) + tables * w;
  }
  static constexpr double most_matrix_elements = 0x1p50;
  bool operator==(const ModelConfig&) const = default;
};

}  // namespace anneal
