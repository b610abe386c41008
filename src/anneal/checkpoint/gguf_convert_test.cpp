#include "anneal/checkpoint/gguf_convert.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/checkpoint/model_summary.hpp"
#include "anneal/checkpoint/model_weights.hpp"
#include "anneal/checkpoint/resume.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

ModelConfig tiny(const std::string& family) {
  ModelConfig config{.family = family,
                     .layers = 2,
                     .heads = 4,
                     .kv_heads = find_family(family)->free_heads ? 2 : 4,
                     .width = 32,
                     .hidden = 64,
                     .context = 64,
                     .vocab_size = 48,
                     .tie_embeddings = family == "gpt2"};
  if (family == "llama") {
    config.head_width = 16;
    config.rope_theta = 500000;
    config.rope_scaling.factor = 8;
  }
  if (family == "qwen3") config.head_width = 16;
  if (family == "gpt_neox") {
    config.rotary_fraction = 0.25;
    config.parallel_residual = false;
  }
  return config;
}

// A tokenizer of the bytes a to z and two merges.
std::string small_tokenizer() {
  Json json = {
      {"added_tokens", {{{"id", 28}, {"content", "<end>"}, {"special", true}}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}}};
  Json& model = json["model"] = {{"type", "BPE"}, {"merges", {"a b", "ab c"}}};
  for (int i = 0; i < 26; ++i) model["vocab"][std::string(1, static_cast<char>('a' + i))] = i;
  model["vocab"]["ab"] = 26;
  model["vocab"]["abc"] = 27;
  return json.dump();
}

class Convert : public testing::TestWithParam<const char*> {
 protected:
  // A model directory with random weights.
  std::filesystem::path write_model(const ModelConfig& config) {
    auto path = directory_.path() / "model";
    std::filesystem::create_directories(path);
    HfTokenIds ids{{}, {28}, {}};
    write_file_atomically(path / "config.json", hf_config_json(config, ids));
    write_file_atomically(path / "tokenizer.json", small_tokenizer());
    write_file_atomically(path / "tokenizer_config.json", R"({"chat_template": "{{ x }}"})");
    std::vector<std::vector<float>> values;
    std::vector<TensorView> views;
    for (const auto& t : gguf_tensors(config)) {
      auto& list = values.emplace_back();
      for (int64_t i = 0; i < t.hf_shape.elements(); ++i)
        list.push_back(
            static_cast<float>(philox(values.size(), static_cast<uint64_t>(i), 0)[0] % 1999) - 999);
      views.push_back({t.hf_name, DType::f32, t.hf_shape});
    }
    for (size_t i = 0; i < views.size(); ++i)
      views[i].data = reinterpret_cast<const std::byte*>(values[i].data());
    write_safetensors(path / "model.safetensors", views);
    return path;
  }

  TemporaryDirectory directory_;
};

TEST_P(Convert, ThereAndBack) {
  ModelConfig config = tiny(GetParam());
  auto model = write_model(config);
  auto file = directory_.path() / "model.gguf", back = directory_.path() / "back";
  for (const char* name : {"f32", "q8_0"}) {
    auto report = export_gguf(model, file, find_gguf_type(name)->type);
    EXPECT_TRUE(report.warnings.empty()) << report.warnings[0];
    report = import_gguf(file, back, DType::f32);
    EXPECT_TRUE(report.warnings.empty()) << report.warnings[0];

    auto text = read_file(back / "config.json");
    // Mistral's are of llama.cpp's architecture "llama".
    if (config.family == "mistral") config.family = "llama";
    EXPECT_EQ(model_config_from_hf(text, "config.json"), config) << text;
    EXPECT_EQ(token_ids_from_hf(text, "config.json").eos, std::vector<int64_t>{28});
    ModelWeights before(model), after(back);
    for (const auto& t : gguf_tensors(config)) {
      std::vector<float> a(static_cast<size_t>(t.hf_shape.elements())), b(a.size());
      before.read_as_f32(t.hf_name, a.data());
      after.read_as_f32(t.hf_name, b.data());
      double most = std::string_view(name) == "f32" ? 0 : 4.5;
      for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], most) << t.hf_name << " " << i;
    }
    auto tokenizer = Json::parse(read_file(back / "tokenizer.json"));
    EXPECT_EQ(tokenizer["model"]["merges"], Json({"a b", "ab c"}));
    EXPECT_EQ(tokenizer["model"]["vocab"]["abc"], 27);
    EXPECT_EQ(tokenizer["pre_tokenizer"]["type"], "ByteLevel");
    EXPECT_EQ(tokenizer["added_tokens"][0]["content"], "<end>");
    auto settings = Json::parse(read_file(back / "tokenizer_config.json"));
    EXPECT_EQ(settings["chat_template"], "{{ x }}");
    EXPECT_EQ(settings["eos_token"], "<end>");

    auto of_file = summarise_model(file), of_directory = summarise_model(back);
    EXPECT_EQ(of_file.config, config);
    EXPECT_EQ(of_directory.config, config);
    EXPECT_EQ(of_directory.chat_template, "{{ x }}");
    EXPECT_EQ(of_file.chat_template, "{{ x }}");
    EXPECT_EQ(of_directory.tensors.size(), gguf_tensors(config).size());
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Convert,
                         testing::Values("gpt2", "llama", "qwen2", "mistral", "qwen3", "gpt_neox"));

// llama.cpp rotates neighbouring rows.
TEST(GgufLayout, RowsOfRotaryPairsAreNeighbours) {
  GgufTensor tensor{.hf_shape = {8, 1}, .turned_heads = 2};
  std::vector<float> hf = {0, 1, 2, 3, 10, 11, 12, 13}, gguf(8), back(8);
  to_gguf_layout(tensor, hf, gguf);
  EXPECT_EQ(gguf, (std::vector<float>{0, 2, 1, 3, 10, 12, 11, 13}));
  to_hf_layout(tensor, gguf, back);
  EXPECT_EQ(back, hf);
}

// Every part of a head can be said by the number of its columns.
TEST(GgufLayout, FractionsOfHeadsAreExact) {
  TemporaryDirectory directory;
  auto path = directory.path() / "a.gguf";
  for (int64_t turned : {2, 6, 14, 48, 98}) {
    auto config = tiny("gpt_neox");
    config.width = 4 * 98;
    config.rotary_fraction = static_cast<double>(turned) / 98 + 1e-9;
    ASSERT_EQ(config.rotated(), turned);
    GgufWriter out;
    add_model_metadata(config, out);
    out.add_tensor("token_embd.weight", {48, 4 * 98}, GgufType::f32, [](std::span<float>) {});
    out.add_tensor("output.weight", {48, 4 * 98}, GgufType::f32, [](std::span<float>) {});
    out.write(path);
    EXPECT_EQ(model_config_from_gguf(GgufFile(path)).rotated(), turned);
  }
}

// llama.cpp has queries, keys and values one after the other.
TEST(GgufLayout, InterleavedHeadsAreSorted) {
  GgufTensor tensor{.hf_shape = {6, 1}, .interleaving = {.heads = 2}};
  std::vector<float> hf = {0, 10, 20, 1, 11, 21}, gguf(6), back(6);
  to_gguf_layout(tensor, hf, gguf);
  EXPECT_EQ(gguf, (std::vector<float>{0, 1, 10, 11, 20, 21}));
  to_hf_layout(tensor, gguf, back);
  EXPECT_EQ(back, hf);
}

// A file with the metadata of a llama and what `change` does to it.
class Metadata : public testing::Test {
 protected:
  template <class Change>
  std::string complaint(Change change) {
    GgufWriter out;
    add_model_metadata(tiny("qwen2"), out);
    change(out);
    auto zeros = [](std::span<float> values) { std::ranges::fill(values, 0.0f); };
    for (const auto& t : gguf_tensors(tiny("qwen2")))
      out.add_tensor(t.gguf_name, t.gguf_shape(), GgufType::f16, zeros);
    auto path = directory_.path() / "a.gguf";
    out.write(path);
    try {
      report_ = import_gguf(path, directory_.path() / "out", DType::bf16);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  TemporaryDirectory directory_;
  GgufReport report_;
};

TEST_F(Metadata, WithoutTokenizerThereIsAWarning) {
  EXPECT_EQ(complaint([](GgufWriter&) {}), "");
  ASSERT_EQ(report_.warnings.size(), 1u);
  EXPECT_NE(report_.warnings[0].find("no tokenizer"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "out" / "tokenizer.json"));
}

TEST_F(Metadata, WhatAnnealDoesNotHaveIsRefusedByName) {
  struct Case {
    const char* key;
    uint32_t value;
  };
  for (const Case& each :
       {Case{"qwen2.expert_count", 8}, Case{"qwen2.attention.key_length", 6},
        Case{"qwen2.attention.value_length", 6}, Case{"qwen2.attention.sliding_window", 7}}) {
    auto message = complaint([&](GgufWriter& out) { out.add(each.key, each.value); });
    EXPECT_FALSE(message.empty()) << each.key;
  }
  auto message = complaint([&](GgufWriter& out) {
    out.add_tensor("blk.0.extra.weight", {1}, GgufType::f32, [](std::span<float>) {});
  });
  EXPECT_NE(message.find("'blk.0.extra.weight'"), std::string::npos);
}

TEST_F(Metadata, TokensThatDoNotFit) {
  auto with = [&](std::vector<std::string> tokens, std::vector<std::string> merges) {
    return complaint([&](GgufWriter& out) {
      out.add("tokenizer.ggml.model", "gpt2");
      out.add("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
      out.add("tokenizer.ggml.merges", std::span<const std::string>(merges));
    });
  };
  EXPECT_EQ(with({"a", "b", "ab"}, {"a b"}), "");
  EXPECT_NE(report_.warnings[0].find("'default' is not known"), std::string::npos);
  EXPECT_NE(with({"a", "b", "ab"}, {"a c"}).find("merges"), std::string::npos);
  EXPECT_NE(with({"a", "b", "a"}, {"a b"}).find("two of them"), std::string::npos);
  EXPECT_NE(with(std::vector<std::string>(49, "a"), {"a b"}).find("48 rows"), std::string::npos);
  EXPECT_NE(with({}, {}).find("missing"), std::string::npos);
}

TEST_F(Metadata, SentencePieceBecomesMergesByScore) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "a", "b", "▁", "ab", "▁ab", "<0x0A>"};
  std::vector<int32_t> types = {2, 3, 1, 1, 1, 1, 1, 6};
  std::vector<float> scores = {0, 0, -10, -11, -12, -2, -1, 0};
  auto message = complaint([&](GgufWriter& out) {
    out.add("tokenizer.ggml.model", "llama");
    out.add("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
    out.add("tokenizer.ggml.token_type", std::span<const int32_t>(types));
    out.add("tokenizer.ggml.scores", std::span<const float>(scores));
    out.add("tokenizer.ggml.bos_token_id", uint32_t{1});
  });
  EXPECT_EQ(message, "");
  auto json = Json::parse(read_file(directory_.path() / "out" / "tokenizer.json"));
  EXPECT_EQ(json["model"]["merges"], Json({"▁ ab", "a b"}));
  EXPECT_EQ(json["model"]["byte_fallback"], true);
  EXPECT_EQ(json["model"]["unk_token"], "<unk>");
  EXPECT_EQ(json["post_processor"]["single"][0]["SpecialToken"]["id"], "<s>");
}

}  // namespace
}  // namespace anneal
