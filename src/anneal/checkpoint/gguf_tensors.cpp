#include <utility>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/model/hf_names.hpp"
#include "anneal/model/language_model.hpp"

namespace anneal {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

// Hugging Face's names outside and inside a block, and llama.cpp's.
constexpr Names outer_names[] = {
    {"transformer.wte.", "token_embd."},
    {"transformer.wpe.", "position_embd."},
    {"transformer.ln_f.", "output_norm."},
    {"model.embed_tokens.", "token_embd."},
    {"model.norm.", "output_norm."},
    {"lm_head.", "output."},
    {"gpt_neox.embed_in.", "token_embd."},
    {"gpt_neox.final_layer_norm.", "output_norm."},
    {"embed_out.", "output."},
};
constexpr Names block_names[] = {
    {"ln_1.", "attn_norm."},
    {"attn.c_attn.", "attn_qkv."},
    {"attn.c_proj.", "attn_output."},
    {"ln_2.", "ffn_norm."},
    {"mlp.c_fc.", "ffn_up."},
    {"mlp.c_proj.", "ffn_down."},
    {"input_layernorm.", "attn_norm."},
    {"self_attn.q_proj.", "attn_q."},
    {"self_attn.k_proj.", "attn_k."},
    {"self_attn.v_proj.", "attn_v."},
    {"self_attn.q_norm.", "attn_q_norm."},
    {"self_attn.k_norm.", "attn_k_norm."},
    {"self_attn.o_proj.", "attn_output."},
    {"post_attention_layernorm.", "ffn_norm."},
    {"mlp.gate_proj.", "ffn_gate."},
    {"mlp.up_proj.", "ffn_up."},
    {"mlp.down_proj.", "ffn_down."},
    {"attention.query_key_value.", "attn_qkv."},
    {"attention.dense.", "attn_output."},
    {"mlp.dense_h_to_4h.", "ffn_up."},
    {"mlp.dense_4h_to_h.", "ffn_down."},
};

std::string gguf_name_of(std::string_view name) {
  for (std::string_view blocks : {"transformer.h.", "model.layers.", "gpt_neox.layers."}) {
    if (!name.starts_with(blocks)) continue;
    auto rest = name.substr(blocks.size());
    auto dot = rest.find('.');
    auto inner = rest.substr(dot + 1);
    for (auto [hf, gguf] : block_names)
      if (inner.starts_with(hf))
        return str("blk.", rest.substr(0, dot), ".", gguf, inner.substr(hf.size()));
  }
  for (auto [hf, gguf] : outer_names)
    if (name.starts_with(hf)) return str(gguf, name.substr(hf.size()));
  ANNEAL_ASSERT(false, "llama.cpp has no name for ", name);
}

// Calls f(index in GGUF, index in Hugging Face's layout) for each run of `run` elements.
template <class F>
void for_runs(const GgufTensor& t, F f) {
  int64_t rows = t.hf_shape[0], columns = t.is_vector() ? 1 : t.hf_shape[1];
  if (t.transposed) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) f(c * rows + r, r * columns + c, 1);
  } else if (t.turned_heads > 0) {
    int64_t d = rows / t.turned_heads;
    for (int64_t h = 0; h < t.turned_heads; ++h)
      for (int64_t i = 0; i < d; ++i)
        f((h * d + i) * columns, (h * d + i % 2 * (d / 2) + i / 2) * columns, columns);
  } else {
    t.interleaving.for_runs(rows * columns, [&](int64_t in_hf, int64_t in_gguf, int64_t count) {
      f(in_gguf, in_hf, count);
    });
  }
}

void copy_run(std::span<const float> from, int64_t at, std::span<float> to, int64_t there,
              int64_t count) {
  std::copy_n(from.begin() + at, count, to.begin() + there);
}

}  // namespace

Shape GgufTensor::gguf_shape() const {
  return transposed ? Shape{hf_shape[1], hf_shape[0]} : hf_shape;
}

std::vector<GgufTensor> gguf_tensors(const ModelConfig& config) {
  LanguageModelOptions options{.sequence = 1, .train = false};
  Module module = build_language_model(config, options);
  // llama.cpp turns neighbouring rows in models of its architecture "llama" and, as Hugging Face
  // does, rows half a head apart in the others.
  bool turned = config.family == "llama" || config.family == "mistral";
  std::vector<GgufTensor> tensors;
  for (const HfTensor& t : hf_tensors(module, config)) {
    GgufTensor tensor{gguf_name_of(t.name), t.name, t.shape};
    bool table = t.name.find("wte.") != std::string::npos ||
                 t.name.find("wpe.") != std::string::npos || t.name.starts_with("lm_head");
    tensor.transposed = config.traits().in_out && t.shape.rank() == 2 && !table;
    if (turned && t.name.find(".q_proj.") != std::string::npos) tensor.turned_heads = config.heads;
    if (turned && t.name.find(".k_proj.") != std::string::npos)
      tensor.turned_heads = config.kv_heads;
    tensor.interleaving = t.interleaving;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void to_gguf_layout(const GgufTensor& tensor, std::span<const float> hf, std::span<float> gguf) {
  for_runs(tensor, [&](int64_t in_gguf, int64_t in_hf, int64_t count) {
    copy_run(hf, in_hf, gguf, in_gguf, count);
  });
}

void to_hf_layout(const GgufTensor& tensor, std::span<const float> gguf, std::span<float> hf) {
  for_runs(tensor, [&](int64_t in_gguf, int64_t in_hf, int64_t count) {
    copy_run(gguf, in_gguf, hf, in_hf, count);
  });
}

}  // namespace anneal
