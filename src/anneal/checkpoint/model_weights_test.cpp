#include "anneal/checkpoint/model_weights.hpp"

#include <gtest/gtest.h>
#include <array>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

const std::vector<HfTensor> gpt2_tensors = {{"transformer.wte.weight", 0, 0, {4, 2}},
                                            {"transformer.h.0.attn.c_attn.bias", 1, 0, {6}}};
const ModelConfig gpt2{.family = "gpt2"};

class Weights : public testing::Test {
 protected:
  TensorView tensor(const std::string& name, const Shape& shape) const {
    return {name, DType::f32, shape, reinterpret_cast<const std::byte*>(numbers_.data())};
  }
  void write(const std::string& file, const std::vector<TensorView>& tensors) {
    write_safetensors(directory_.path() / file, tensors);
  }
  void write_index(const std::string& weight_map) {
    FileWriter(directory_.path() / weight_index_name)
        .write("{\"metadata\": {\"total_size\": 1}, \"weight_map\": " + weight_map + "}");
  }
  // What is wrong with the weights; "": nothing.
  std::string complaint(const ModelConfig& config = gpt2) {
    try {
      ModelWeights weights(directory_.path());
      weights.expect(gpt2_tensors, config);
      std::array<float, 8> out{};
      weights.read_as_f32("transformer.wte.weight", out.data());
      EXPECT_EQ(out, numbers_);
      return "";
    } catch (const FormatError& e) {
      return e.what();
    }
  }

  TemporaryDirectory directory_;
  std::array<float, 8> numbers_{1, 2, 3, 4, 5, 6, 7, 8};
};

TEST_F(Weights, NamesWithAndWithoutPrefix) {
  for (const std::string prefix : {"transformer.", ""}) {
    write("model.safetensors",
          {tensor(prefix + "wte.weight", {4, 2}), tensor(prefix + "h.0.attn.c_attn.bias", {6}),
           tensor(prefix + "h.0.attn.bias", {1, 1, 2, 2}),
           tensor(prefix + "h.0.attn.masked_bias", {}), tensor("lm_head.weight", {4, 2})});
    EXPECT_EQ(complaint(), "");
  }
  ModelConfig untied = gpt2;
  untied.tie_embeddings = false;
  EXPECT_NE(complaint(untied).find("'lm_head.weight' that this model does not have"),
            std::string::npos);
  EXPECT_NE(complaint({.family = "llama"}).find("attn.bias"), std::string::npos);
}

// A file of GPT-NeoX as it was saved years ago, with the rows of its heads in their order.
TEST_F(Weights, InterleavedHeadsAndOldBuffers) {
  const HfTensor qkv{"gpt_neox.layers.0.attention.query_key_value.bias", 0, 1, {6}, {.heads = 2}};
  for (const std::string prefix : {"gpt_neox.", ""}) {
    const std::string attention = prefix + "layers.0.attention.";
    write("model.safetensors",
          {tensor(attention + "query_key_value.bias", {6}),
           tensor(attention + "bias", {1, 1, 2, 2}), tensor(attention + "masked_bias", {}),
           tensor(attention + "rotary_emb.inv_freq", {2}), tensor("embed_out.weight", {2, 2})});
    ModelWeights weights(directory_.path());
    weights.expect({qkv}, {.family = "gpt_neox", .tie_embeddings = true});
    EXPECT_THROW(weights.expect({qkv}, {.family = "gpt_neox", .tie_embeddings = false}),
                 FormatError);
    std::array<float, 8> parameter{};
    weights.read_into(qkv, DType::f32, reinterpret_cast<std::byte*>(parameter.data()));
    EXPECT_EQ(parameter, (std::array<float, 8>{0, 1, 4, 2, 5, 3, 6, 0}));
  }
}

TEST_F(Weights, SeveralFiles) {
  write("a.safetensors", {tensor("transformer.wte.weight", {4, 2})});
  write("b.safetensors", {tensor("transformer.h.0.attn.c_attn.bias", {6})});
  write_index(R"({"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"})");
  EXPECT_EQ(complaint(), "");
  write_index(R"({"x": "a.safetensors"})");
  EXPECT_NE(complaint().find("c_attn.bias"), std::string::npos);
  write("b.safetensors", {tensor("transformer.h.0.attn.c_attn.bias", {6}),
                          tensor("transformer.wte.weight", {4, 2})});
  write_index(R"({"x": "a.safetensors", "y": "b.safetensors"})");
  EXPECT_NE(complaint().find("another file"), std::string::npos);
}

TEST_F(Weights, OfAnotherModel) {
  write("model.safetensors", {tensor("transformer.wte.weight", {2, 4}),
                              tensor("transformer.h.0.attn.c_attn.bias", {6})});
  EXPECT_NE(complaint().find("expected shape"), std::string::npos);
  write("model.safetensors", {tensor("transformer.wte.weight", {4, 2})});
  EXPECT_NE(complaint().find("has no tensor 'transformer.h.0"), std::string::npos);
  write("model.safetensors",
        {tensor("transformer.wte.weight", {4, 2}), tensor("transformer.h.0.attn.c_attn.bias", {6}),
         tensor("classifier.weight", {2})});
  EXPECT_NE(complaint().find("'classifier.weight' that this model"), std::string::npos);
}

TEST(WeightIndex, HostileText) {
  for (std::string text :
       {"", "[]", "{", "{}", R"({"weight_map": {}})", R"({"weight_map": ["a.safetensors"]})",
        R"({"weight_map": {"x": 1}})", R"({"weight_map": {"x": "../a.safetensors"}})",
        R"({"weight_map": {"x": "/a.safetensors"}})", R"({"weight_map": {"x": "b/a.safetensors"}})",
        R"({"weight_map": {"x": "a.bin"}})"})
    EXPECT_THROW(files_of_weight_index(text, "index"), FormatError) << text;
  EXPECT_THROW(files_of_weight_index(std::string(100000, '['), "index"), FormatError);
  EXPECT_EQ(files_of_weight_index(R"({"weight_map": {"x": "a.safetensors"}})", "index"),
            std::vector<std::string>{"a.safetensors"});
}

}  // namespace
}  // namespace anneal
