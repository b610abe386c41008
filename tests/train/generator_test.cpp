// Text through the key and value caches against the same model without caches.

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <memory>

#include "anneal/model/language_model.hpp"
#include "anneal/model/transformer.hpp"
#include "anneal/ops/attention/attention.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/short_conv/short_conv.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/generation_bench.hpp"
#include "anneal/train/generator.hpp"
#include "train/tiny_model.hpp"

namespace anneal {
namespace {

// Adds the program "full": logits [1,T,V] of all T = context positions at once, by the attention
// that training uses.
void build_full(Module& module, const ModelConfig& c) {
  Builder b(module.programs["full"], &module);
  TransformerInputs in;
  in.tokens = b.input("tokens", DType::i32, {1, c.context});
  in.positions = b.input("positions", DType::i32, {1, c.context});
  in.linear_attention = [&](Builder& builder, int64_t, Value qkv) {
    return linear_attention(builder, qkv, linear_attention_attrs(c));
  };
  in.short_conv = [](Builder& builder, int64_t, Value x, Value filter) {
    return short_conv(builder, x, filter);
  };
  in.attention = [&](Builder& builder, int64_t layer, Value qkv) {
    return attention(builder, qkv,
                     {.heads = c.heads,
                      .kv_heads = c.kv_heads,
                      .head_dim = c.head_dim(),
                      .scale = 1 / std::sqrt(static_cast<double>(c.head_dim())),
                      .window = c.window_of(layer)});
  };
  Value x = transformer(b, c, in);
  b.output("logits", matmul(b, x, head_weight(b, c), false, true));
}

// Of h.LAYER.attn.key_cache.
int64_t layer_of(const std::string& name) { return std::stoll(name.substr(2)); }

class GeneratorOf : public testing::TestWithParam<const char*> {
 protected:
  // Above 256, so that a long prompt goes through chunks of every length.
  static constexpr int64_t context = 300;

  void SetUp() override {
    config_ = tiny_config(GetParam()).model;
    config_.context = context;
    config_.dropout = 0;
    Module module =
        build_language_model(config_, {.train = false, .evaluate = false, .generate = true});
    build_full(module, config_);
    session_ = std::make_unique<Session>(compile(std::move(module), {}, target_));
    session_->initialise(5);
    // Weights as they are at first give almost equal logits; larger ones decide.
    for (int32_t p : session_->module().parameters())
      if (session_->module().persistent(p).type.shape.rank() > 1)
        for (float& x : session_->persistent(p).as<float>()) x *= 8;
    generator_ = std::make_unique<Generator>(*session_, config_);
  }

  std::vector<int32_t> drawn_tokens(int64_t count, uint64_t seed = 1) const {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < count; ++i)
      tokens.push_back(static_cast<int32_t>(philox(seed, static_cast<uint64_t>(i), 9)[0] %
                                            static_cast<uint32_t>(config_.vocab_size)));
    return tokens;
  }

  // The logits after the last of at most `context` tokens; copied, since programs share their
  // memory.
  std::vector<float> full_logits(std::span<const int32_t> tokens) {
    Executable& full = session_->program("full");
    auto ids = full.input("tokens").as<int32_t>();
    std::fill(ids.begin(), ids.end(), 0);
    std::copy(tokens.begin(), tokens.end(), ids.begin());
    if (full.has_input("positions")) {
      auto positions = full.input("positions").as<int32_t>();
      for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int32_t>(i);
    }
    full.run();
    auto vocabulary = static_cast<size_t>(config_.vocab_size);
    auto logits =
        full.output("logits").as<float>().subspan((tokens.size() - 1) * vocabulary, vocabulary);
    return {logits.begin(), logits.end()};
  }

  // The generator's logits, kept: they lie in memory that the full pass uses as well.
  std::vector<float> read(std::span<const int32_t> tokens) {
    auto logits = generator_->read(tokens);
    return {logits.begin(), logits.end()};
  }

  void expect_close(std::span<const float> actual, std::span<const float> expected) {
    ASSERT_EQ(actual.size(), expected.size());
    float largest = 1;
    for (float x : expected) largest = std::max(largest, std::abs(x));
    for (size_t i = 0; i < actual.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], 1e-5f * largest) << "logit " << i;
  }

  // The largest logit's token; none where the second is within rounding of it.
  std::optional<int32_t> clear_argmax(std::span<const float> logits) {
    auto best = std::max_element(logits.begin(), logits.end());
    for (auto it = logits.begin(); it != logits.end(); ++it)
      if (it != best && *best - *it < 1e-4f) return std::nullopt;
    return static_cast<int32_t>(best - logits.begin());
  }

  GenerationResult continue_text(std::span<const int32_t> prompt, int64_t count,
                                 const SamplingOptions& sampling,
                                 std::span<const int64_t> end_ids = {}) {
    generator_->reset();
    return generate(*generator_, prompt, count, sampling, config_.vocab_size, end_ids,
                    [](int32_t) { return true; });
  }

  ModelConfig config_;
  CpuTarget target_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Generator> generator_;
};

// A token reads each weight once, of the table of embeddings one row, and of the positions one.
TEST_P(GeneratorOf, ATokenReadsTheWeightsOnce) {
  const Module& module = session_->module();
  double expected = 0;
  for (int32_t p : module.parameters()) {
    const Persistent& parameter = module.persistent(p);
    bool table = parameter.role == Role::position ||
                 (parameter.role == Role::embedding && !config_.tie_embeddings);
    double bytes = static_cast<double>(parameter.type.bytes());
    expected += table ? bytes / static_cast<double>(parameter.type.shape[0]) : bytes;
  }
  double read = weight_bytes_read(module, module.programs.at("generate.1"));
  // The copy of a row counts what it writes as well.
  EXPECT_NEAR(read, expected, 4.0 * 16 * static_cast<double>(config_.width));
}

// … and the keys and values of the tokens so far: of layers without a window all of them.
TEST_P(GeneratorOf, ATokenReadsTheKeysAndValuesThatItSees) {
  const Module& module = session_->module();
  const Program& program = module.programs.at("generate.1");
  auto bytes = [&](int64_t length) { return cache_bytes_read(module, program, length); };
  double row = 2.0 * static_cast<double>(config_.kv_heads * config_.head_dim()) * 4;
  double grows = 0;
  for (const Persistent& p : module.persistents)
    if (p.name.ends_with("key_cache") && config_.window_of(layer_of(p.name)) == 0) grows += row;
  EXPECT_NEAR(bytes(250) - bytes(100), 150 * grows, 1e-6 * bytes(250));
  double all = 0;
  for (const Persistent& p : module.persistents)
    if (p.kind == PersistentKind::cache) all += static_cast<double>(p.type.bytes());
  EXPECT_GT(bytes(0), 0);
  EXPECT_LE(bytes(context - 1), all);
}

// Keys and values are rounded when they come out of their product: storing them low loses nothing.
// Running sums stay in FP32.
TEST_P(GeneratorOf, KeysAndValuesAreStoredAsTheirProductGivesThem) {
  for (const char* precision : {"fp32", "bf16", "fp16"}) {
    PassOptions options;
    options.precision = precision;
    Session session = compile(
        build_language_model(config_, {.train = false, .evaluate = false, .generate = true}),
        options, target_);
    DType stored = DType::f32;
    if (std::string_view(precision) != "fp32")
      stored = std::string_view(precision) == "bf16" ? DType::bf16 : DType::f16;
    int caches = 0;
    for (const Persistent& p : session.module().persistents) {
      if (p.kind != PersistentKind::cache) continue;
      bool rows = p.name.ends_with("key_cache") || p.name.ends_with("value_cache");
      EXPECT_EQ(p.type.dtype, rows ? stored : DType::f32) << p.name << ' ' << precision;
      ++caches;
    }
    EXPECT_GT(caches, 0);
  }
}

constexpr SamplingOptions greedy = {.temperature = 0};

TEST_P(GeneratorOf, GreedyTextIsTheArgmaxOfTheWholeForwardPass) {
  for (int64_t prompt_length : {1, 2, 31, 33, 100}) {
    auto text = drawn_tokens(prompt_length);
    auto result = continue_text(text, 24, greedy);
    ASSERT_EQ(result.tokens.size(), 24u);
    EXPECT_FALSE(result.ended);
    int64_t compared = 0;
    for (int32_t token : result.tokens) {
      if (auto expected = clear_argmax(full_logits(text))) {
        EXPECT_EQ(token, *expected) << "position " << text.size();
        ++compared;
      }
      text.push_back(token);
    }
    EXPECT_GT(compared, 20);
    // The text is not one token again and again.
    EXPECT_NE(std::count(result.tokens.begin(), result.tokens.end(), result.tokens[0]), 24);
  }
}

TEST_P(GeneratorOf, ChunksOfEveryLengthGiveTheLogitsOfTheWholeForwardPass) {
  auto tokens = drawn_tokens(context);
  for (size_t length : {1u, 2u, 32u, 64u, 255u, 256u, 257u, 288u, 291u, 300u}) {
    generator_->reset();
    auto text = std::span(tokens).first(length);
    expect_close(read(text), full_logits(text));
    EXPECT_EQ(generator_->length(), static_cast<int64_t>(length));
    if (HasFatalFailure()) FAIL() << length << " tokens";
  }
}

TEST_P(GeneratorOf, APromptReadInPartsIsThePromptReadAtOnce) {
  auto tokens = drawn_tokens(280);
  std::span<const int32_t> all(tokens);
  generator_->read(all.first(3));
  generator_->read(all.subspan(3, 1));
  generator_->read(all.subspan(4, 260));
  expect_close(read(all.subspan(264)), full_logits(all));
}

TEST_P(GeneratorOf, AFullContextForgetsItsOlderHalf) {
  auto tokens = drawn_tokens(context + 40);
  std::span<const int32_t> all(tokens);
  generator_->read(all.first(context));
  // One more token than there is room for: the last half, that token included, is read again.
  for (int64_t more = 1; more <= 40; ++more) {
    auto logits = read(all.subspan(static_cast<size_t>(context + more - 1), 1));
    int64_t kept = context / 2 + more - 1;
    EXPECT_EQ(generator_->length(), kept);
    expect_close(logits, full_logits(all.subspan(static_cast<size_t>(context + more - kept),
                                                 static_cast<size_t>(kept))));
    if (HasFatalFailure()) FAIL() << more << " beyond the context";
  }
}

TEST_P(GeneratorOf, APromptLongerThanTheContextKeepsItsEnd) {
  auto tokens = drawn_tokens(3 * context + 7);
  std::span<const int32_t> all(tokens);
  auto logits = read(all);
  EXPECT_EQ(generator_->length(), context / 2);
  expect_close(logits, full_logits(all.last(static_cast<size_t>(context / 2))));
  // Text goes on past the context, as long as is asked for.
  EXPECT_EQ(continue_text(all, 2 * context, greedy).tokens.size(),
            static_cast<size_t>(2 * context));
}

TEST_P(GeneratorOf, OneSeedIsOneText) {
  auto prompt = drawn_tokens(10);
  auto text = [&](uint64_t seed) {
    return continue_text(prompt, 40, {.temperature = 1, .seed = seed}).tokens;
  };
  auto first = text(1);
  EXPECT_EQ(text(1), first);
  EXPECT_NE(text(2), first);
}

TEST_P(GeneratorOf, AnEndTokenStopsTheTextAndIsNotPartOfIt) {
  auto prompt = drawn_tokens(10);
  auto free = continue_text(prompt, 40, greedy).tokens;
  // The first token that differs from all before it, somewhere behind the start.
  size_t at = 1;
  while (std::find(free.begin(), free.begin() + static_cast<long>(at), free[at]) !=
         free.begin() + static_cast<long>(at))
    ++at;
  std::vector<int64_t> ends = {config_.vocab_size + 5, free[at]};
  auto result = continue_text(prompt, 40, greedy, ends);
  EXPECT_TRUE(result.ended);
  EXPECT_EQ(result.tokens, std::vector(free.begin(), free.begin() + static_cast<long>(at)));
}

TEST_P(GeneratorOf, TheReaderMayStopTheText) {
  auto prompt = drawn_tokens(10);
  int64_t seen = 0;
  auto result = generate(*generator_, prompt, 40, greedy, config_.vocab_size, {},
                         [&](int32_t) { return ++seen < 7; });
  EXPECT_EQ(seen, 7);
  EXPECT_EQ(result.tokens.size(), 7u);
  EXPECT_FALSE(result.ended);
}

TEST_P(GeneratorOf, RefusesWhatItCannotRead) {
  auto tokens = drawn_tokens(20);
  generator_->read(tokens);
  EXPECT_THROW(generator_->read({}), Error);
  for (int32_t bad : {-1, static_cast<int32_t>(config_.vocab_size)})
    EXPECT_THROW(generator_->read(std::vector<int32_t>{1, bad}), Error) << bad;
  // And goes on as if it had not been asked.
  EXPECT_EQ(generator_->length(), 20);
  tokens.push_back(7);
  expect_close(read({&tokens.back(), 1}), full_logits(tokens));
}

INSTANTIATE_TEST_SUITE_P(Models, GeneratorOf,
                         testing::Values("gpt2", "llama", "qwen3", "gpt_neox", "based"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anneal
