#include "anneal/checkpoint/hf_config.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

ModelConfig gpt2() {
  ModelConfig config;
  config.family = "gpt2";
  config.layers = 3;
  config.heads = config.kv_heads = 4;
  config.width = 64;
  config.hidden = 200;
  config.context = 128;
  config.vocab_size = 1000;
  config.dropout = 0.25;
  config.norm_eps = 1e-6;
  return config;
}

ModelConfig llama() {
  auto config = gpt2();
  config.family = "llama";
  config.kv_heads = 2;
  config.dropout = 0;
  config.tie_embeddings = false;
  config.rope_theta = 500000;
  return config;
}

ModelConfig scaled_llama() {
  auto config = llama();
  config.rope_scaling = {.factor = 8, .low = 1, .high = 4, .original_context = 64};
  config.head_width = 24;
  return config;
}

ModelConfig like_llama(const std::string& family) {
  auto config = llama();
  config.family = family;
  return config;
}

ModelConfig qwen3() {
  auto config = like_llama("qwen3");
  config.head_width = 32;
  return config;
}

ModelConfig gpt_neox() {
  auto config = gpt2();
  config.family = "gpt_neox";
  config.rope_theta = 20000;
  config.rotary_fraction = 0.25;
  return config;
}

ModelConfig based() {
  auto config = gpt2();
  config.family = "based";
  config.layers = 4;
  config.mixers = {"linear", "conv", "attention", "linear"};
  config.window = 9;
  config.conv_width = 96;
  config.conv_taps = 4;
  config.rope_theta = 5000;
  return config;
}

ModelConfig sequential_neox() {
  auto config = gpt_neox();
  config.rotary_fraction = 1;
  config.parallel_residual = false;
  config.activation = "gelu_tanh";
  return config;
}

Json written(const ModelConfig& config, const HfTokenIds& ids = {}) {
  return Json::parse(hf_config_json(config, ids));
}

ModelConfig read(const Json& json) { return model_config_from_hf(json.dump(), "config.json"); }

TEST(HfConfig, RoundTrip) {
  for (bool tied : {false, true})
    for (auto config : {gpt2(), llama(), scaled_llama(), like_llama("qwen2"), like_llama("mistral"),
                        qwen3(), gpt_neox(), sequential_neox(), based()}) {
      config.tie_embeddings = tied;
      EXPECT_EQ(model_config_from_hf(hf_config_json(config, {}), "config.json"), config);
    }
}

TEST(HfConfig, DerivedValuesAreWrittenOut) {
  auto config = gpt2();
  config.hidden = config.kv_heads = 0;
  EXPECT_EQ(written(config)["n_inner"], 256);
  EXPECT_EQ(read(written(config)).kv_heads, 4);
  config = llama();
  config.kv_heads = 0;
  EXPECT_EQ(written(config)["num_key_value_heads"], 4);
}

TEST(HfConfig, WritesWhatTransformersNeeds) {
  auto json = written(gpt2(), {7, {7}, {}});
  EXPECT_EQ(json["architectures"], Json({"GPT2LMHeadModel"}));
  EXPECT_EQ(json["activation_function"], "gelu_new");
  EXPECT_EQ(json["layer_norm_epsilon"], 1e-6);
  EXPECT_EQ(json["tie_word_embeddings"], true);
  EXPECT_EQ(json["attn_pdrop"], 0.25);
  EXPECT_EQ(json["eos_token_id"], 7);
  EXPECT_TRUE(json.contains("pad_token_id"));
  json = written(llama());
  EXPECT_EQ(json["architectures"], Json({"LlamaForCausalLM"}));
  EXPECT_EQ(json["hidden_act"], "silu");
  EXPECT_EQ(json["rms_norm_eps"], 1e-6);
  EXPECT_EQ(json["attention_bias"], false);
  EXPECT_EQ(json["mlp_bias"], false);
  EXPECT_EQ(json["tie_word_embeddings"], false);
  EXPECT_EQ(json["torch_dtype"], "float32");
  // transformers takes GPT-2's ids for those that are missing.
  EXPECT_TRUE(json.contains("bos_token_id") && json["bos_token_id"].is_null());
}

TEST(HfConfig, DropoutRatesOfTheirOwn) {
  auto config = gpt2();
  config.attention_dropout = 0.5;
  config.embedding_dropout = 0;
  auto json = written(config);
  EXPECT_EQ(json["attn_pdrop"], 0.5);
  EXPECT_EQ(json["embd_pdrop"], 0.0);
  EXPECT_EQ(json["resid_pdrop"], 0.25);
  EXPECT_EQ(read(json), config);
  config = llama();
  config.attention_dropout = 0.1;
  EXPECT_EQ(read(written(config)), config);
}

TEST(HfConfig, TokenIds) {
  HfTokenIds one{1, {2}, 3}, many{{}, {4, 5}, {}}, none;
  for (const auto& ids : {one, many, none}) {
    EXPECT_EQ(token_ids_from_hf(generation_config_json(ids), "generation_config.json"), ids);
    EXPECT_EQ(token_ids_from_hf(hf_config_json(gpt2(), ids), "config.json"), ids);
  }
  EXPECT_THROW(token_ids_from_hf(R"({"eos_token_id": "x"})", "c"), FormatError);
  EXPECT_THROW(token_ids_from_hf(R"({"bos_token_id": [1, 2]})", "c"), FormatError);
}

TEST(HfConfig, ReadsPublishedConfigs) {
  // openai-community/gpt2, where many keys are left to their defaults.
  auto config = model_config_from_hf(
      R"({"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"],
          "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256,
          "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
          "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
          "resid_pdrop": 0.1, "summary_activation": null, "vocab_size": 50257})",
      "config.json");
  EXPECT_EQ(config.hidden, 3072);
  EXPECT_EQ(config.vocab_size, 50257);
  EXPECT_TRUE(config.tie_embeddings);
  EXPECT_EQ(config.dropout, 0.1);
  // HuggingFaceTB/SmolLM2-135M
  config = model_config_from_hf(
      R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
          "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576,
          "initializer_range": 0.041666666666666664, "intermediate_size": 1536,
          "is_llama_config": true, "max_position_embeddings": 8192, "model_type": "llama",
          "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
          "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false,
          "rope_scaling": null, "rope_theta": 100000, "tie_word_embeddings": true,
          "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 49152})",
      "config.json");
  EXPECT_EQ(config.kv_heads, 3);
  EXPECT_EQ(config.head_dim(), 64);
  EXPECT_EQ(config.rope_theta, 100000);
  EXPECT_TRUE(config.tie_embeddings);
}

TEST(HfConfig, ReadsPublishedConfigsOfLaterFamilies) {
  // EleutherAI/pythia-70m
  auto config = model_config_from_hf(
      R"({"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
          "hidden_act": "gelu", "hidden_size": 512, "initializer_range": 0.02,
          "intermediate_size": 2048, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048,
          "model_type": "gpt_neox", "num_attention_heads": 8, "num_hidden_layers": 6,
          "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": false,
          "torch_dtype": "float16", "transformers_version": "4.24.0", "use_cache": true,
          "use_parallel_residual": true, "vocab_size": 50304})",
      "config.json");
  EXPECT_EQ(config.rotated(), 16);
  EXPECT_EQ(config.activation_function(), Activation::gelu_exact);
  EXPECT_TRUE(config.is_parallel());
  EXPECT_FALSE(config.tie_embeddings);
  // Qwen/Qwen3-0.6B
  config = model_config_from_hf(
      R"({"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
          "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
          "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
          "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
          "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
          "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
          "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
          "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})",
      "config.json");
  EXPECT_EQ(config.head_dim(), 128);
  EXPECT_TRUE(config.traits().head_norm);
}

TEST(HfConfig, DefaultsAreThoseOfTransformers) {
  auto json = written(llama());
  for (const char* key :
       {"tie_word_embeddings", "rms_norm_eps", "rope_theta", "num_key_value_heads"})
    json.erase(key);
  auto config = read(json);
  EXPECT_FALSE(config.tie_embeddings);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.kv_heads, 4);
  json = written(qwen3());
  json.erase("head_dim");
  EXPECT_EQ(read(json).head_width, 128);
  json = written(sequential_neox());
  for (const char* key : {"rotary_pct", "rotary_emb_base", "use_parallel_residual", "hidden_act",
                          "layer_norm_eps", "tie_word_embeddings"})
    json.erase(key);
  config = read(json);
  EXPECT_EQ(config.rotary_fraction, 0.25);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_TRUE(config.parallel_residual);
  EXPECT_EQ(config.activation, "gelu");
  EXPECT_EQ(config.norm_eps, 1e-5);
  EXPECT_FALSE(config.tie_embeddings);
}

TEST(HfConfig, NamesOfTheSameGelu) {
  auto json = written(gpt_neox());
  for (const char* name : {"gelu_new", "gelu_fast", "gelu_pytorch_tanh"}) {
    json["hidden_act"] = name;
    EXPECT_EQ(read(json).activation, "gelu_tanh");
  }
}

TEST(HfConfig, RopeParametersOfTransformers5) {
  auto json = written(llama());
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_theta", 12345.0}, {"rope_type", "default"}};
  EXPECT_EQ(read(json).rope_theta, 12345.0);
  json = written(gpt_neox());
  json.erase("rotary_emb_base");
  json.erase("rotary_pct");
  json["rope_parameters"] = {
      {"rope_theta", 12345.0}, {"rope_type", "default"}, {"partial_rotary_factor", 0.5}};
  EXPECT_EQ(read(json).rope_theta, 12345.0);
  EXPECT_EQ(read(json).rotary_fraction, 0.5);
}

TEST(HfConfig, RopeScalingOfLlama3) {
  auto json = written(scaled_llama());
  EXPECT_EQ(json["rope_scaling"]["rope_type"], "llama3");
  EXPECT_EQ(json["head_dim"], 24);
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    auto damaged = json;
    damaged["rope_scaling"].erase(key);
    try {
      read(damaged);
      ADD_FAILURE() << "without " << key;
    } catch (const FormatError& e) {
      EXPECT_NE(std::string(e.what()).find(str("rope_scaling.", key)), std::string::npos)
          << e.what();
    }
  }
  json["rope_scaling"]["high_freq_factor"] = 0.5;
  EXPECT_THROW(read(json), FormatError);
}

TEST(HfConfig, WindowsThatHideNothingAreAccepted) {
  auto json = written(like_llama("mistral"));
  json["sliding_window"] = 128;  // the context
  EXPECT_EQ(read(json), like_llama("mistral"));
  json["sliding_window"] = 127;
  json["model_type"] = "qwen2";  // needs use_sliding_window
  EXPECT_EQ(read(json), like_llama("qwen2"));
}

TEST(HfConfig, Windows) {
  auto mistral = like_llama("mistral");
  mistral.window = 5;
  EXPECT_EQ(read(written(mistral)), mistral);
  for (const char* family : {"qwen2", "qwen3"}) {
    auto config = like_llama(family);
    config.window = 100;
    config.window_from = 1;
    auto json = written(config);
    EXPECT_EQ(read(json), config);
    json["layer_types"] = {"full_attention", "sliding_attention"};
    json.erase("max_window_layers");
    EXPECT_EQ(read(json), config);
    json["layer_types"] = {"sliding_attention", "full_attention"};
    EXPECT_THROW(read(json), UsageError);
    json["layer_types"] = {"full_attention", "full_attention"};
    EXPECT_EQ(read(json), like_llama(family));
    json["layer_types"] = {"full_attention", "linear_attention"};
    EXPECT_THROW(read(json), UsageError);
  }
}

// The configs of the published models, as hydra has them: GPT-2's with more members, some of which
// are the code's defaults.
TEST(HfConfig, Based360m) {
  auto config = read(Json::parse(R"({
      "alt_mixer_layers": [1, 6, 11, 16, 21], "alt_mixer_2_layers": [2, 7, 12, 17, 22],
      "mixer": {"_target_": "based.models.mixers.convolution.BaseConv", "l_max": 2048,
                "use_bias": true, "expand_proj": 4, "kernel_sizes": 3},
      "alt_mixer": {"_target_": "based.models.mixers.linear_attention.LinearAttention",
                    "l_max": 2048, "feature_dim": 16, "num_heads": 16,
                    "feature_map": {"_target_": "based.models.mixers.linear_attention.TaylorExp",
                                    "input_dim": 16}},
      "alt_mixer_2": {"_target_": "based.models.mixers.slide_attention.SlidingAttention",
                      "window_size": 128, "num_heads": 16, "causal": true},
      "n_embd": 1024, "special_initializer": true, "n_head": 16, "n_layer": 27, "rms_norm": true,
      "fused_mlp": false, "attn_pdrop": 0, "embd_pdrop": 0, "n_positions": 2048, "resid_pdrop": 0,
      "mlp_fc1_bias": false, "mlp_fc2_bias": false, "fused_bias_fc": true, "out_proj_bias": false,
      "qkv_proj_bias": false, "use_flash_attn": true, "residual_in_fp32": true,
      "activation_function": "swiglu", "rotary_emb_fraction": 1, "fused_dropout_add_ln": true,
      "max_position_embeddings": 0, "pad_vocab_size_multiple": 8, "n_inner": 2048,
      "reorder_and_upcast_attn": false, "scale_attn_by_inverse_layer_idx": false,
      "vocab_size": 50257})"));
  EXPECT_EQ(config.family, "based");
  EXPECT_EQ(config.context, 2048);
  EXPECT_EQ(config.vocab_size, 50264);
  EXPECT_EQ(config.window, 65);
  EXPECT_EQ(config.conv_width, 2048);
  EXPECT_EQ(config.conv_taps, 3);
  EXPECT_EQ(config.feature_dim, 16);
  EXPECT_TRUE(config.tie_embeddings);
  ASSERT_EQ(config.mixers.size(), 27u);
  EXPECT_EQ(config.mixers[0], "conv");
  EXPECT_EQ(config.mixers[21], "linear");
  EXPECT_EQ(config.mixers[22], "attention");
  EXPECT_EQ(config.mixers[26], "conv");
  EXPECT_EQ(read(written(config)), config);
}

TEST(HfConfig, WhatAMixerHasThatAnnealDoesNot) {
  struct {
    const char *place, *key;
    Json value;
  } const refusals[] = {
      {"mixer", "use_bias", false},
      {"mixer", "use_cuda", true},
      {"mixer", "kernel_size", 17},
      {"mixer", "expand_proj", 0},
      {"mixer", "_target_", "based.models.mixers.hyena.Hyena"},
      {"alt_mixer", "num_heads", 8},
      {"alt_mixer", "head_dim", 8},
      {"alt_mixer", "feature_map", nullptr},
      {"alt_mixer", "feature_map", {{"_target_", "Hedgehog"}, {"input_dim", 16}}},
      {"alt_mixer", "feature_dim", 8},
      {"alt_mixer_2", "causal", false},
      {"alt_mixer_2", "window_size", -1},
  };
  for (const auto& refusal : refusals) {
    auto json = written(based());
    json[refusal.place][refusal.key] = refusal.value;
    try {
      read(json);
      ADD_FAILURE() << refusal.key << " = " << refusal.value << " was accepted";
    } catch (const Error& e) {
      std::string message = e.what();
      EXPECT_TRUE(message.starts_with("[config.json] [" + std::string(refusal.place))) << message;
    }
  }
}

struct Refusal {
  ModelConfig base;
  std::string key;
  Json value;
};

TEST(HfConfig, WhatAnnealDoesNotHaveIsRefusedByName) {
  const Refusal refusals[] = {
      {gpt2(), "activation_function", "gelu"},
      {gpt2(), "scale_attn_weights", false},
      {gpt2(), "scale_attn_by_inverse_layer_idx", true},
      {gpt2(), "add_cross_attention", true},
      {gpt2(), "attn_pdrop", 1.0},
      {gpt2(), "quantization_config", {{"bits", 4}}},
      {gpt2(), "n_layer", 0},
      {gpt2(), "n_layer", -1},
      {gpt2(), "n_layer", 1.5},
      {gpt2(), "n_layer", uint64_t{1} << 63},
      {gpt2(), "n_layer", "3"},
      {gpt2(), "n_embd", nullptr},
      {gpt2(), "vocab_size", nullptr},
      {gpt2(), "layer_norm_epsilon", "small"},
      {gpt2(), "tie_word_embeddings", 1},
      {llama(), "model_type", "mixtral"},
      {llama(), "model_type", nullptr},
      {llama(), "hidden_act", "gelu"},
      {llama(), "rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}},
      {llama(), "rope_scaling", {{"type", "dynamic"}}},
      {llama(), "rope_scaling", 2.0},
      {llama(), "rope_parameters", {{"rope_type", "yarn"}}},
      {llama(), "rope_theta", 0.0},
      {llama(), "sliding_window", 100},
      {llama(), "use_sliding_window", true},
      {llama(), "layer_types", {"full_attention", "sliding_attention"}},
      {llama(), "attention_bias", true},
      {llama(), "mlp_bias", true},
      {llama(), "head_dim", 7},
      {llama(), "num_key_value_heads", 3},
      {llama(), "partial_rotary_factor", 0.5},
      {llama(), "rope_parameters", {{"partial_rotary_factor", 0.5}}},
      {qwen3(), "attention_bias", true},
      {qwen3(), "head_dim", 33},
      {gpt_neox(), "attention_bias", false},
      {gpt_neox(), "hidden_act", "relu"},
      {gpt_neox(), "rotary_pct", 0.0},
      {gpt_neox(), "rotary_pct", 1.5},
      {gpt_neox(), "rotary_pct", "all"},
      {gpt_neox(), "use_parallel_residual", 1},
      {gpt_neox(), "rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}},
      {based(), "rms_norm", false},
      {based(), "rms_norm", nullptr},
      {based(), "mlp_fc1_bias", nullptr},
      {based(), "fixed_decay", true},
      {based(), "parallel_block", true},
      {based(), "activation_function", "geglu"},
      {based(), "rotary_emb_fraction", 0.5},
      {based(), "rotary_emb_base", 0},
      {based(), "max_position_embeddings", 128},
      {based(), "alt_mixer_layers", {0, 4}},
      {based(), "n_head_kv", 2},
  };
  for (const auto& refusal : refusals) {
    auto json = written(refusal.base);
    json[refusal.key] = refusal.value;
    try {
      read(json);
      ADD_FAILURE() << refusal.key << " = " << refusal.value << " was accepted";
    } catch (const Error& e) {
      std::string message = e.what();
      EXPECT_EQ(message.substr(0, 14), "[config.json] ") << message;
      EXPECT_NE(message.find(refusal.key), std::string::npos) << message;
    }
  }
  auto json = written(gpt2());
  json["n_head"] = 5;
  EXPECT_THROW(read(json), FormatError);
}

TEST(HfConfig, TokenizerConfigNamesTheClassThatReadsTokenizerJsonAsItIs) {
  auto json = nlohmann::json::parse(tokenizer_config_json("<|endoftext|>", 256));
  EXPECT_EQ(json["tokenizer_class"], "PreTrainedTokenizerFast");
  EXPECT_EQ(json["model_max_length"], 256);
  EXPECT_EQ(json["bos_token"], "<|endoftext|>");
  EXPECT_EQ(json["eos_token"], "<|endoftext|>");
  EXPECT_EQ(json["clean_up_tokenization_spaces"], false);
  EXPECT_FALSE(nlohmann::json::parse(tokenizer_config_json("", 8)).contains("eos_token"));
}

TEST(HfConfig, SizesThatNothingCouldHoldAreRefused) {
  struct Size {
    const char* key;
    int64_t value;
  };
  for (auto [key, value] : {Size{"n_layer", 65537}, Size{"n_layer", int64_t{1} << 31},
                            Size{"n_positions", 0}, Size{"vocab_size", int64_t{1} << 31}}) {
    auto json = written(gpt2());
    json[key] = value;
    EXPECT_THROW(read(json), FormatError) << key << " = " << value;
  }
  // Each is possible by itself.
  auto json = written(gpt2());
  json["n_embd"] = 1 << 24;
  json["n_head"] = 1;
  json["n_inner"] = 1 << 30;
  EXPECT_THROW(read(json), FormatError);
}

TEST(HfConfig, HostileText) {
  for (std::string text : {"", "null", "[]", "{", "{\"model_type\": \"\xff\"}", "{}"})
    EXPECT_THROW(model_config_from_hf(text, "c"), Error) << text;
  std::string deep = "{\"model_type\":" + std::string(100000, '[');
  EXPECT_THROW(model_config_from_hf(deep, "c"), FormatError);
  deep += std::string(100000, ']') + "}";
  EXPECT_THROW(model_config_from_hf(deep, "c"), FormatError);
}

}  // namespace
}  // namespace anneal
