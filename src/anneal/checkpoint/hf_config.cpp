#include "anneal/checkpoint/hf_config.hpp"

#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

Json id_or_null(const std::optional<int64_t>& id) { return id ? Json(*id) : Json(nullptr); }

Json ids_or_null(const std::vector<int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? Json(ids[0]) : Json(ids);
}

void put_ids(Json& json, const HfTokenIds& ids) {
  json["bos_token_id"] = id_or_null(ids.bos);
  json["eos_token_id"] = ids_or_null(ids.eos);
  json["pad_token_id"] = id_or_null(ids.pad);
}

Json gpt2(const ModelConfig& config) {
  return {{"n_embd", config.width},
          {"n_layer", config.layers},
          {"n_head", config.heads},
          {"n_inner", config.hidden ? config.hidden : 4 * config.width},
          {"n_positions", config.context},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", config.norm_eps},
          {"attn_pdrop", config.attention_dropout_rate()},
          {"embd_pdrop", config.embedding_dropout_rate()},
          {"resid_pdrop", config.dropout},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false}};
}

Json rope_scaling(const RopeScaling& scaling) {
  if (scaling.factor == 1) return nullptr;
  return {{"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low},
          {"high_freq_factor", scaling.high},
          {"original_max_position_embeddings", scaling.original_context}};
}

Json llama_like(const ModelConfig& config) {
  return {{"hidden_size", config.width},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"num_key_value_heads", config.kv_heads ? config.kv_heads : config.heads},
          {"head_dim", config.head_dim()},
          {"intermediate_size", config.hidden},
          {"max_position_embeddings", config.context},
          {"hidden_act", "silu"},
          {"rms_norm_eps", config.norm_eps},
          {"rope_theta", config.rope_theta},
          {"rope_scaling", rope_scaling(config.rope_scaling)},
          {"attention_bias", false},
          {"mlp_bias", false},
          {"attention_dropout", config.attention_dropout_rate()}};
}

Json gpt_neox(const ModelConfig& config) {
  bool exact = config.activation_function() == Activation::gelu_exact;
  return {{"hidden_size", config.width},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"intermediate_size", config.hidden ? config.hidden : 4 * config.width},
          {"max_position_embeddings", config.context},
          {"hidden_act", exact ? "gelu" : "gelu_new"},
          {"layer_norm_eps", config.norm_eps},
          {"rotary_pct", config.rotary_fraction},
          {"rotary_emb_base", config.rope_theta},
          {"rope_scaling", rope_scaling(config.rope_scaling)},
          {"use_parallel_residual", config.parallel_residual},
          {"attention_bias", true},
          {"hidden_dropout", config.dropout},
          {"attention_dropout", config.attention_dropout_rate()}};
}

// The options of a mixer as hydra instantiates it; of attention without a window there are none.
Json mixer_options(const ModelConfig& config, Mixer mixer) {
  const std::string module = "based.models.mixers.";
  switch (mixer) {
    case Mixer::attention:
      if (config.window == 0) return nullptr;
      // A token sees that many before itself, halved.
      return {{"_target_", module + "slide_attention.SlidingAttention"},
              {"window_size", 2 * (config.window - 1)},
              {"num_heads", config.heads},
              {"causal", true}};
    case Mixer::linear:
      return {{"_target_", module + "linear_attention.LinearAttention"},
              {"l_max", config.context},
              {"feature_dim", config.feature_dim},
              {"feature_map",
               {{"_target_", module + "linear_attention.TaylorExp"},
                {"input_dim", config.feature_dim}}},
              {"num_heads", config.heads}};
    case Mixer::conv:
      return {{"_target_", module + "base_conv.BaseConv"},
              {"l_max", config.context},
              {"use_bias", true},
              {"expand_proj", 2 * config.convolved() / config.width},
              {"kernel_size", config.conv_taps}};
  }
  return nullptr;
}

Json based(const ModelConfig& config) {
  Json json = {{"_target_", "based.models.gpt.GPT2MixerConfig"},
               {"n_embd", config.width},
               {"n_layer", config.layers},
               {"n_head", config.heads},
               {"n_inner", config.hidden},
               // As the original has them where positions are not learned.
               {"n_positions", 0},
               {"max_position_embeddings", 0},
               {"n_ctx", config.context},
               {"activation_function", "swiglu"},
               {"rms_norm", true},
               {"layer_norm_epsilon", config.norm_eps},
               {"mlp_fc1_bias", false},
               {"mlp_fc2_bias", false},
               {"qkv_proj_bias", false},
               {"out_proj_bias", false},
               {"rotary_emb_fraction", 1},
               {"rotary_emb_base", config.rope_theta},
               {"residual_in_fp32", true},
               {"pad_vocab_size_multiple", 1},
               {"attn_pdrop", config.attention_dropout_rate()},
               {"embd_pdrop", config.embedding_dropout_rate()},
               {"resid_pdrop", config.dropout},
               {"scale_attn_weights", true},
               {"scale_attn_by_inverse_layer_idx", false},
               {"mixer", mixer_options(config, Mixer::conv)},
               {"alt_mixer", mixer_options(config, Mixer::linear)},
               {"alt_mixer_2", mixer_options(config, Mixer::attention)},
               {"alt_mixer_layers", Json::array()},
               {"alt_mixer_2_layers", Json::array()}};
  for (int64_t i = 0; i < config.layers; ++i) {
    if (config.mixer_of(i) == Mixer::linear) json["alt_mixer_layers"].push_back(i);
    if (config.mixer_of(i) == Mixer::attention) json["alt_mixer_2_layers"].push_back(i);
  }
  return json;
}

// Defaults in transformers are windows, so none is written too. Mistral has the same in all layers.
void put_window(const ModelConfig& config, Json& json) {
  json["sliding_window"] = config.window > 0 ? Json(config.window) : Json(nullptr);
  if (config.family == "mistral") return;
  json["use_sliding_window"] = config.window > 0;
  json["max_window_layers"] = config.window > 0 ? config.window_from : config.layers;
}

Json by_naming(const ModelConfig& config) {
  switch (config.traits().naming) {
    case Naming::gpt2:
      return gpt2(config);
    case Naming::llama:
      return llama_like(config);
    case Naming::gpt_neox:
      return gpt_neox(config);
    case Naming::based:
      return based(config);
  }
  return {};
}

}  // namespace

std::string hf_config_json(const ModelConfig& config, const HfTokenIds& ids) {
  const Family& family = config.traits();
  auto json = by_naming(config);
  if (family.windows && !family.mixers) put_window(config, json);
  json["model_type"] = family.name;
  json["architectures"] = Json::array({family.architecture});
  json["vocab_size"] = config.vocab_size;
  json["tie_word_embeddings"] = config.tie_embeddings;
  json["initializer_range"] = 0.02;
  json["torch_dtype"] = "float32";
  json["use_cache"] = true;
  put_ids(json, ids);
  return json.dump(2) + "\n";
}

std::string generation_config_json(const HfTokenIds& ids) {
  Json json;
  put_ids(json, ids);
  return json.dump(2) + "\n";
}

std::string tokenizer_config_json(std::string_view end_of_text, int64_t context) {
  Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
               {"clean_up_tokenization_spaces", false},
               {"model_max_length", context}};
  if (!end_of_text.empty()) json["bos_token"] = json["eos_token"] = end_of_text;
  return json.dump(2) + "\n";
}

}  // namespace anneal
