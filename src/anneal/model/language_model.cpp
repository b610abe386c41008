#include "anneal/model/language_model.hpp"

#include <cmath>

#include "anneal/base/rng.hpp"
#include "anneal/model/transformer.hpp"
#include "anneal/ops/attention/attention.hpp"
#include "anneal/ops/attention_cached/attention_cached.hpp"
#include "anneal/ops/head_loss/head_loss.hpp"
#include "anneal/ops/linear_attention_cached/linear_attention_cached.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/short_conv_cached/short_conv_cached.hpp"
#include "anneal/ops/take_row/take_row.hpp"

namespace anneal {
namespace {

AttentionAttrs attention_attrs(const ModelConfig& c, int64_t layer) {
  return {.heads = c.heads,
          .kv_heads = c.kv_heads,
          .head_dim = c.head_dim(),
          .scale = 1 / std::sqrt(static_cast<double>(c.head_dim())),
          .window = c.window_of(layer)};
}

void build_loss(Module& module, const std::string& name, const ModelConfig& c,
                const LanguageModelOptions& options, bool training) {
  Program& program = module.programs[name];
  Builder b(program, &module);
  Shape shape{options.micro_batch, options.sequence > 0 ? options.sequence : c.context};
  TransformerInputs in;
  in.tokens = b.input("tokens", DType::i32, shape);
  Value targets = b.input("targets", DType::i32, shape);
  in.positions = b.input("positions", DType::i32, shape);
  Value inv_valid = b.input("inv_valid", DType::f32, {});
  if (training) in.first_sample = b.input("first_sample", DType::i64, {});
  in.seed = options.seed;
  in.attention = [&](Builder& builder, int64_t layer, Value qkv) {
    AttentionAttrs attrs = attention_attrs(c, layer);
    if (training) attrs.dropout = c.attention_dropout_rate();
    if (attrs.dropout > 0) attrs.key = hash64(builder.scope() + "/weights", options.seed);
    return attention(builder, qkv, attrs, in.first_sample,
                     options.isolate_documents ? in.positions : Value{});
  };
  in.linear_attention = [&](Builder& builder, int64_t, Value qkv) {
    return linear_attention(builder, qkv, linear_attention_attrs(c));
  };
  in.short_conv = [](Builder& builder, int64_t, Value columns, Value filter) {
    return short_conv(builder, columns, filter);
  };
  Value x = transformer(b, c, in);  // [B,T,C]
  Value weight = head_weight(b, c);
  ScopeGuard scope(b, "head");
  HeadLossAttrs objective;
  if (training) objective.label_smoothing = options.label_smoothing;
  if (training) objective.z_loss = options.z_loss;
  HeadLoss loss = head_loss(b, x, weight, targets, inv_valid, objective);
  b.output("loss", loss.loss);
  b.output("correct", loss.correct);
}

// What a layer keeps of the tokens so far, the same for the programs of all chunk lengths.
int32_t cache_of_layer(Module& module, int64_t layer, const char* suffix, const Shape& shape) {
  std::string name = str("h.", layer, ".attn.", suffix);
  int32_t index = module.find(name);
  if (index >= 0) return index;
  return module.add_persistent({.name = name,
                                .type = {DType::f32, shape},
                                .kind = PersistentKind::cache,
                                .trainable = false});
}

void build_generation(Module& module, const ModelConfig& c, int64_t chunk) {
  Program& program = module.programs["generate." + std::to_string(chunk)];
  Builder b(program, &module);
  TransformerInputs in;
  in.tokens = b.input("tokens", DType::i32, {1, chunk});
  in.positions = b.input("positions", DType::i32, {1, chunk});
  Value start = b.input("start", DType::i32, {});
  Value row = b.input("row", DType::i32, {});
  in.attention = [&](Builder& builder, int64_t layer, Value qkv) {
    Shape shape{c.kv_heads, c.context, c.head_dim()};
    int32_t keys = cache_of_layer(module, layer, "key_cache", shape);
    int32_t values = cache_of_layer(module, layer, "value_cache", shape);
    auto result = attention_cached(builder, qkv, builder.persistent(keys),
                                   builder.persistent(values), start, attention_attrs(c, layer));
    builder.store(keys, result.k_cache);
    builder.store(values, result.v_cache);
    return result.out;
  };
  in.linear_attention = [&](Builder& builder, int64_t layer, Value qkv) {
    LinearAttentionAttrs attrs = linear_attention_attrs(c);
    int32_t state = cache_of_layer(module, layer, "state", attrs.state_shape());
    auto result = linear_attention_cached(builder, qkv, builder.persistent(state), start, attrs);
    builder.store(state, result.state);
    return result.out;
  };
  in.short_conv = [&](Builder& builder, int64_t layer, Value columns, Value filter) {
    const Shape& taps = builder.shape(filter);
    int32_t history = cache_of_layer(module, layer, "history", {taps[1] - 1, taps[0]});
    auto result = short_conv_cached(builder, columns, filter, builder.persistent(history), start);
    builder.store(history, result.history);
    return result.out;
  };
  Value x = transformer(b, c, in);
  Value weight = head_weight(b, c);
  ScopeGuard scope(b, "head");
  Value last = take_row(b, x, row);                          // [1,1,C]
  b.output("logits", matmul(b, last, weight, false, true));  // [1,1,V]
}

}  // namespace

std::vector<int64_t> generation_chunks(const ModelConfig& config) {
  std::vector<int64_t> chunks;
  for (int64_t chunk : {256, 32, 1})
    if (chunk <= config.context) chunks.push_back(chunk);
  return chunks;
}

Module build_language_model(const ModelConfig& config, const LanguageModelOptions& options) {
  Module module;
  ANNEAL_ASSERT(!options.isolate_documents || !config.traits().mixers,
                "convolutions and linear attention see across the borders of documents");
  if (options.train) build_loss(module, "forward", config, options, true);
  if (options.evaluate) build_loss(module, "evaluate", config, options, false);
  LanguageModelOptions score = options;
  score.micro_batch = 1;
  for (int64_t length : options.score_lengths) {
    score.sequence = length;
    build_loss(module, "score." + std::to_string(length), config, score, false);
  }
  if (options.generate)
    for (int64_t chunk : generation_chunks(config)) build_generation(module, config, chunk);
  return module;
}

}  // namespace anneal
