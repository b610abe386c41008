#include "anneal/model/transformer.hpp"

#include <cmath>

#include "anneal/base/rng.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/ops/dropout/dropout.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/embedding/embedding.hpp"
#include "anneal/ops/rope/rope.hpp"
#include "anneal/ops/swiglu/swiglu.hpp"

namespace anneal {
namespace {

class Transformer {
 public:
  Transformer(Builder& b, const ModelConfig& c, const TransformerInputs& in)
      : b_(b), c_(c), in_(in), family_(c.traits()) {}

  Value run() {
    Value x = embed();  // [B,T,C]
    for (int64_t i = 0; i < c_.layers; ++i) {
      ScopeGuard scope(b_, "h." + std::to_string(i));
      Value attended = mixing_block(i, norm("norm1", x));
      if (c_.is_parallel()) {
        x = add(b_, x, add(b_, attended, feed_forward(norm("norm2", x))));
      } else {
        x = add(b_, x, attended);
        x = add(b_, x, feed_forward(norm("norm2", x)));
      }
    }
    return norm("final_norm", x);
  }

 private:
  Value embed() {
    ScopeGuard scope(b_, "embed");
    Value table = b_.parameter("tokens.weight", {c_.vocab_size, c_.width}, Role::embedding,
                               {Init::Kind::normal, init_deviation});
    Value x = embedding(b_, table, in_.tokens);
    if (!family_.rotary) {
      Value positions = b_.parameter("positions.weight", {c_.context, c_.width}, Role::position,
                                     {Init::Kind::normal, init_deviation});
      x = add(b_, x, embedding(b_, positions, in_.positions));
    }
    return drop(x, c_.embedding_dropout_rate());
  }

  // Its scope is "attn" whatever mixes the positions: it is that part of a block.
  Value mixing_block(int64_t layer, Value x) {
    ScopeGuard scope(b_, "attn");
    switch (c_.mixer_of(layer)) {
      case Mixer::attention:
        return attention_block(layer, x);
      case Mixer::linear:
        return linear_attention_block(layer, x);
      case Mixer::conv:
        return conv_block(layer, x);
    }
    ANNEAL_ASSERT(false, "no mixer in layer ", layer);
  }

  Value linear_attention_block(int64_t layer, Value x) {
    int64_t columns = linear_attention_attrs(c_).packed_columns();
    Value qkv = linear(b_, "qkv", x, columns, options(Role::matrix));
    Value mixed = in_.linear_attention(b_, layer, qkv);  // [B,T,H·D]
    return drop(linear(b_, "out", mixed, c_.width, options(Role::residual_matrix)), c_.dropout);
  }

  // silu(conv(u))·v, u and v being the halves of a linear layer.
  Value conv_block(int64_t layer, Value x) {
    LinearOptions of_in = options(Role::matrix), of_out = options(Role::residual_matrix);
    of_in.bias = of_out.bias = true;
    int64_t width = c_.convolved(), taps = c_.conv_taps;
    Value halves = linear(b_, "in", x, 2 * width, of_in);
    // The spread that a convolution of one column has in PyTorch.
    Value filter = b_.parameter("filter.weight", {width, taps}, Role::filter,
                                {Init::Kind::uniform, 1 / std::sqrt(static_cast<double>(taps))});
    Value gated = swiglu(b_, in_.short_conv(b_, layer, halves, filter));  // [B,T,conv_width]
    return drop(linear(b_, "out", gated, c_.width, of_out), c_.dropout);
  }

  Value attention_block(int64_t layer, Value x) {
    int64_t d = c_.head_dim(), kv = c_.kv_heads;
    LinearOptions of_qkv = options(Role::matrix);
    of_qkv.bias = family_.qkv_bias;
    Value qkv = linear(b_, "qkv", x, (c_.heads + 2 * kv) * d, of_qkv);
    if (family_.head_norm)
      qkv = head_norm_block(b_, qkv,
                            {.heads = c_.heads, .kv_heads = kv, .head_dim = d, .eps = c_.norm_eps});
    if (family_.rotary)
      qkv = rope(b_, qkv, in_.positions,
                 {.heads = c_.heads,
                  .kv_heads = kv,
                  .head_dim = d,
                  .rotated = c_.rotated() == d ? 0 : c_.rotated(),
                  .theta = c_.rope_theta,
                  .scaling = c_.rope_scaling});
    Value mixed = in_.attention(b_, layer, qkv);  // [B,T,H·D]
    return drop(linear(b_, "out", mixed, c_.width, options(Role::residual_matrix)), c_.dropout);
  }

  Value feed_forward(Value x) {
    ScopeGuard scope(b_, "mlp");
    auto up = [&] { return linear(b_, "up", x, c_.hidden, options(Role::matrix)); };
    Value hidden;
    switch (c_.activation_function()) {
      case Activation::swiglu:
        hidden = swiglu(b_, linear(b_, "gate_up", x, 2 * c_.hidden, options(Role::matrix)));
        break;
      case Activation::gelu_tanh:
        hidden = gelu(b_, up());
        break;
      case Activation::gelu_exact:
        hidden = gelu_exact(b_, up());
        break;
    }
    return drop(linear(b_, "down", hidden, c_.width, options(Role::residual_matrix)), c_.dropout);
  }

  Value norm(const std::string& name, Value x) {
    return family_.layernorm ? layernorm_block(b_, name, x, c_.norm_eps)
                             : rmsnorm_block(b_, name, x, c_.norm_eps);
  }

  Value drop(Value x, double rate) {
    if (rate == 0 || !in_.first_sample) return x;
    return dropout(b_, x, in_.first_sample, rate, hash64(b_.scope() + "/dropout", in_.seed));
  }

  LinearOptions options(Role role) const {
    double deviation = init_deviation;
    if (role == Role::residual_matrix) deviation /= std::sqrt(2.0 * static_cast<double>(c_.layers));
    return {.layout = family_.in_out ? WeightLayout::in_out : WeightLayout::out_in,
            .bias = family_.biases,
            .role = role,
            .deviation = deviation};
  }

  Builder& b_;
  const ModelConfig& c_;
  const TransformerInputs& in_;
  const Family& family_;
};

}  // namespace

Value transformer(Builder& b, const ModelConfig& config, const TransformerInputs& inputs) {
  return Transformer(b, config, inputs).run();
}

LinearAttentionAttrs linear_attention_attrs(const ModelConfig& config) {
  return {.heads = config.heads,
          .feature_dim = config.feature_dim,
          .head_dim = config.head_dim(),
          .scale = 1 / std::sqrt(static_cast<double>(config.feature_dim))};
}

Value head_weight(Builder& b, const ModelConfig& config) {
  ScopeGuard scope(b, config.tie_embeddings ? "embed" : "head");
  return b.parameter(
      config.tie_embeddings ? "tokens.weight" : "weight", {config.vocab_size, config.width},
      config.tie_embeddings ? Role::embedding : Role::head, {Init::Kind::normal, init_deviation});
}

std::vector<float> rope_factors(const ModelConfig& config) {
  RopeAttrs attrs{.head_dim = config.rotated(), .theta = config.rope_theta};
  auto plain = rope_frequencies(attrs);
  attrs.scaling = config.rope_scaling;
  auto scaled = rope_frequencies(attrs);
  std::vector<float> factors;
  for (size_t i = 0; i < plain.size(); ++i)
    factors.push_back(static_cast<float>(plain[i] / scaled[i]));
  return factors;
}

}  // namespace anneal
