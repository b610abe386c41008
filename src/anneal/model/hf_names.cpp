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
  bool gate_last = false;     // in the one matrix of up, likewise
  // Of layers with other mixers than attention.
  std::vector<std::string_view> linear_qkv = {};
  std::string_view conv_in = {}, conv_filter = {};
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
    case Naming::based:
      return {.tokens = "transformer.embeddings.word_embeddings",
              .blocks = "transformer.layers.",
              .norm1 = "norm1",
              .qkv = {"mixer.Wqkv"},
              .out = "mixer.out_proj",
              .norm2 = "norm2",
              .up = {"mlp.fc1"},
              .down = "mlp.fc2",
              .final_norm = "transformer.ln_f",
              .head = "lm_head",
              .gate_last = true,
              .linear_qkv = {"mixer.proj_q", "mixer.proj_k", "mixer.proj_v"},
              .conv_in = "mixer.in_proj",
              .conv_filter = "mixer.conv1.conv"};
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
    for (int64_t i = 0; i < c_.layers; ++i) block(i, str("h.", i, "."), str(names_.blocks, i, "."));
    add("final_norm", names_.final_norm);
    add("head", names_.head);
    return std::move(tensors_);
  }

 private:
  void block(int64_t layer, const std::string& ours, const std::string& theirs) {
    auto add_in_block = [&](const char* part, std::string_view name) {
      if (!name.empty()) add(ours + part, theirs + std::string(name));
    };
    add_in_block("norm1", names_.norm1);
    switch (c_.mixer_of(layer)) {
      case Mixer::attention:
        queries_keys_values(ours + "attn.qkv", theirs);
        break;
      case Mixer::linear: {
        int64_t features = c_.heads * c_.feature_dim;
        parts(ours + "attn.qkv", theirs, names_.linear_qkv,
              {features, features, c_.heads * c_.head_dim()});
        break;
      }
      case Mixer::conv:
        add_in_block("attn.in", names_.conv_in);
        filter(ours + "attn.filter", theirs + std::string(names_.conv_filter));
        break;
    }
    add_in_block("attn.q_norm", names_.q_norm);
    add_in_block("attn.k_norm", names_.k_norm);
    add_in_block("attn.out", names_.out);
    add_in_block("norm2", names_.norm2);
    size_t first = tensors_.size();
    if (names_.up.size() > 1)
      parts(ours + "mlp.gate_up", theirs, names_.up, {c_.hidden, c_.hidden});
    else
      add_in_block(names_.gate_last ? "mlp.gate_up" : "mlp.up", names_.up[0]);
    for (; names_.gate_last && first < tensors_.size(); ++first)
      tensors_[first].interleaving.swapped_halves = true;
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
    parts(ours, theirs, names_.qkv, {q, kv, kv});
  }

  // A packed part of ours, of which `counts` rows each have names of their own.
  void parts(const std::string& ours, const std::string& theirs,
             const std::vector<std::string_view>& names, std::initializer_list<int64_t> counts) {
    for (const char* suffix : {".weight", ".bias"}) {
      int64_t first = 0;
      for (size_t i = 0; i < names.size(); ++i)
        rows(ours + suffix, str(theirs, names[i], suffix), first, counts.begin()[i]);
    }
  }

  // Filters [C,K] are those of a PyTorch convolution there, [C,1,K].
  void filter(const std::string& ours, const std::string& theirs) {
    add(ours, theirs);
    Shape& shape = tensors_.back().shape;
    shape = {shape[0], 1, shape[1]};
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
