#include "anneal/model/hf_names.hpp"

namespace anneal {
namespace {

class NameMap {
 public:
  explicit NameMap(const Module& module) : module_(module) {}

  void whole(const std::string& ours, const std::string& theirs) {
    int32_t p = index(ours);
    tensors_.push_back({theirs, p, 0, module_.persistent(p).type.shape});
  }

  // Parts of a packed [out, in] weight or [out] bias: their names and numbers of rows.
  void rows(const std::string& ours, const std::vector<std::pair<std::string, int64_t>>& parts) {
    int32_t p = index(ours);
    const Shape& shape = module_.persistent(p).type.shape;
    int64_t first = 0;
    for (const auto& [name, count] : parts) {
      if (shape.rank() == 1)
        tensors_.push_back({name, p, first, {count}});
      else
        tensors_.push_back({name, p, first * shape[1], {count, shape[1]}});
      first += count;
    }
    ANNEAL_ASSERT(first == shape[0], "the parts of ", ours, " have ", first, " rows of ", shape[0]);
  }

  std::vector<HfTensor> take() { return std::move(tensors_); }

 private:
  int32_t index(const std::string& name) const {
    int32_t p = module_.find(name);
    ANNEAL_ASSERT(p >= 0, "the model has no parameter ", name);
    return p;
  }
  const Module& module_;
  std::vector<HfTensor> tensors_;
};

void gpt2_tensors(NameMap& map, const ModelConfig& c) {
  map.whole("embed.tokens.weight", "transformer.wte.weight");
  map.whole("embed.positions.weight", "transformer.wpe.weight");
  for (int64_t i = 0; i < c.layers; ++i) {
    std::string ours = str("h.", i, "."), theirs = str("transformer.h.", i, ".");
    auto norm = [&](const char* from, const char* to) {
      map.whole(ours + from + ".gain", theirs + to + ".weight");
      map.whole(ours + from + ".bias", theirs + to + ".bias");
    };
    auto linear = [&](const char* from, const char* to) {
      map.whole(ours + from + ".weight", theirs + to + ".weight");
      map.whole(ours + from + ".bias", theirs + to + ".bias");
    };
    norm("norm1", "ln_1");
    linear("attn.qkv", "attn.c_attn");
    linear("attn.out", "attn.c_proj");
    norm("norm2", "ln_2");
    linear("mlp.up", "mlp.c_fc");
    linear("mlp.down", "mlp.c_proj");
  }
  map.whole("final_norm.gain", "transformer.ln_f.weight");
  map.whole("final_norm.bias", "transformer.ln_f.bias");
  if (!c.tie_embeddings) map.whole("head.weight", "lm_head.weight");
}

void llama_tensors(NameMap& map, const ModelConfig& c) {
  map.whole("embed.tokens.weight", "model.embed_tokens.weight");
  int64_t q = c.heads * c.head_dim(), kv = c.kv_heads * c.head_dim();
  for (int64_t i = 0; i < c.layers; ++i) {
    std::string ours = str("h.", i, "."), theirs = str("model.layers.", i, ".");
    map.whole(ours + "norm1.gain", theirs + "input_layernorm.weight");
    for (const char* part : {".weight", ".bias"})
      if (part == std::string_view(".weight") || c.qkv_bias())
        map.rows(ours + "attn.qkv" + part, {{theirs + "self_attn.q_proj" + part, q},
                                            {theirs + "self_attn.k_proj" + part, kv},
                                            {theirs + "self_attn.v_proj" + part, kv}});
    map.whole(ours + "attn.out.weight", theirs + "self_attn.o_proj.weight");
    map.whole(ours + "norm2.gain", theirs + "post_attention_layernorm.weight");
    map.rows(ours + "mlp.gate_up.weight", {{theirs + "mlp.gate_proj.weight", c.hidden},
                                           {theirs + "mlp.up_proj.weight", c.hidden}});
    map.whole(ours + "mlp.down.weight", theirs + "mlp.down_proj.weight");
  }
  map.whole("final_norm.gain", "model.norm.weight");
  if (!c.tie_embeddings) map.whole("head.weight", "lm_head.weight");
}

}  // namespace

std::vector<HfTensor> hf_tensors(const Module& module, const ModelConfig& config) {
  NameMap map(module);
  if (!find_family(config.family))
    throw UsageError(str("[model.family] there is no model family \"", config.family, "\""));
  if (config.gpt2())
    gpt2_tensors(map, config);
  else
    llama_tensors(map, config);
  auto tensors = map.take();
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
