#include "anneal/model/hf_names.hpp"

namespace anneal {
namespace {

// Hugging Face's names of the parts of a model, without ".weight" and ".bias"; of a packed
// parameter of ours, the names of its parts. "": there is no such part.
struct Names {
  std::string_view tokens, positions, blocks;
  std::string_view norm1;
  std::vector<std::string_view> qkv;
  std::string_view q_norm, k_norm, out, norm2;
  std::vector<std::string_view> up;
  std::string_view down, final_norm, head;
  bool head_by_head = false;  // the rows of qkv, see HeadInterleaving
};

Names names_of(Naming naming) {
  switch (naming) {
    case Naming::gpt2:
      return {.tokens = "transformer.wte",
              .positions = "transformer.wpe",
              .blocks = "transformer.h.",
              .norm1 = "ln_1",
              .qkv = {"attn.c_attn"},
              .out = "attn.c_proj",
              .norm2 = "ln_2",
              .up = {"mlp.c_fc"},
              .down = "mlp.c_proj",
              .final_norm = "transformer.ln_f",
              .head = "lm_head"};
    case Naming::llama:
      return {.tokens = "model.embed_tokens",
              .blocks = "model.layers.",
              .norm1 = "input_layernorm",
              .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
              .q_norm = "self_attn.q_norm",
              .k_norm = "self_attn.k_norm",
              .out = "self_attn.o_proj",
              .norm2 = "post_attention_layernorm",
              .up = {"mlp.gate_proj", "mlp.up_proj"},
              .down = "mlp.down_proj",
              .final_norm = "model.norm",
              .head = "lm_head"};
    case Naming::gpt_neox:
      return {.tokens = "gpt_neox.embed_in",
              .blocks = "gpt_neox.layers.",
              .norm1 = "input_layernorm",
              .qkv = {"attention.query_key_value"},
              .out = "attention.dense",
              .norm2 = "post_attention_layernorm",
              .up = {"mlp.dense_h_to_4h"},
              .down = "mlp.dense_4h_to_h",
              .final_norm = "gpt_neox.final_layer_norm",
              .head = "embed_out",
              .head_by_head = true};
  }
  ANNEAL_ASSERT(false, "no names of naming ", static_cast<int>(naming));
}

class NameMap {
 public:
  NameMap(const Module& module, const ModelConfig& config)
      : module_(module), c_(config), names_(names_of(config.traits().naming)) {}

  std::vector<HfTensor> run() {
    add("embed.tokens", names_.tokens);
    add("embed.positions", names_.positions);
    for (int64_t i = 0; i < c_.layers; ++i) block(str("h.", i, "."), str(names_.blocks, i, "."));
    add("final_norm", names_.final_norm);
    add("head", names_.head);
    return std::move(tensors_);
  }

 private:
  void block(const std::string& ours, const std::string& theirs) {
    auto add_in_block = [&](const char* part, std::string_view name) {
      if (!name.empty()) add(ours + part, theirs + std::string(name));
    };
    add_in_block("norm1", names_.norm1);
    queries_keys_values(ours + "attn.qkv", theirs);
    add_in_block("attn.q_norm", names_.q_norm);
    add_in_block("attn.k_norm", names_.k_norm);
    add_in_block("attn.out", names_.out);
    add_in_block("norm2", names_.norm2);
    if (names_.up.size() == 1) {
      add_in_block("mlp.up", names_.up[0]);
    } else {
      for (const char* suffix : {".weight", ".bias"}) {
        int64_t first = 0;
        for (auto name : names_.up)
          rows(ours + "mlp.gate_up" + suffix, str(theirs, name, suffix), first, c_.hidden);
      }
    }
    add_in_block("mlp.down", names_.down);
  }

  void queries_keys_values(const std::string& ours, const std::string& theirs) {
    if (names_.qkv.size() == 1) {
      size_t first = tensors_.size();
      add(ours, theirs + std::string(names_.qkv[0]));
      if (names_.head_by_head)
        for (; first < tensors_.size(); ++first) tensors_[first].interleaving.heads = c_.heads;
      return;
    }
    int64_t q = c_.heads * c_.head_dim(), kv = c_.kv_heads * c_.head_dim();
    for (const char* suffix : {".weight", ".bias"}) {
      int64_t first = 0;
      for (auto name : names_.qkv)
        rows(ours + suffix, str(theirs, name, suffix), first, first == 0 ? q : kv);
    }
  }

  // The weight or gain, and the bias, of a part of ours, as far as the model has them.
  void add(const std::string& ours, std::string_view theirs) {
    for (auto [suffix, of_theirs] :
         {std::pair{".weight", ".weight"}, {".gain", ".weight"}, {".bias", ".bias"}})
      if (int32_t p = module_.find(ours + suffix); p >= 0)
        tensors_.push_back({str(theirs, of_theirs), p, 0, module_.persistent(p).type.shape});
  }

  // `count` rows of a packed [out, in] weight or [out] bias, from `first` on; moves `first` behind
  // them.
  void rows(const std::string& ours, std::string theirs, int64_t& first, int64_t count) {
    int32_t p = module_.find(ours);
    if (p < 0) return;
    Shape shape = module_.persistent(p).type.shape;
    int64_t row = shape.elements() / shape[0];
    shape = shape.rank() == 1 ? Shape{count} : Shape{count, row};
    tensors_.push_back({std::move(theirs), p, first * row, shape});
    first += count;
  }

  const Module& module_;
  const ModelConfig& c_;
  Names names_;
  std::vector<HfTensor> tensors_;
};

}  // namespace

std::vector<HfTensor> hf_tensors(const Module& module, const ModelConfig& config) {
  auto tensors = NameMap(module, config).run();
  int64_t covered = 0;
  for (const auto& t : tensors) covered += t.shape.elements();
  int64_t elements = 0;
  for (int32_t p : module.parameters())
    if (module.persistent(p).of < 0) elements += module.persistent(p).type.shape.elements();
  ANNEAL_ASSERT(covered == elements, "the name map covers ", covered, " of ", elements,
                " elements");
  return tensors;
}

}  // namespace anneal
