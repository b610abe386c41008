#include <algorithm>

#include "anneal/checkpoint/hf_config_reader.hpp"

namespace anneal {
namespace {

// "BaseConv" of "based.models.mixers.base_conv.BaseConv".
std::string class_of(const ConfigReader& in) {
  auto target = in.text("_target_", "");
  return target.substr(target.rfind('.') + 1);
}

// Reads what may stand in three places (mixer, alt_mixer, alt_mixer_2) into one config, so that
// places of the same kind must agree.
class MixerReader {
 public:
  MixerReader(const ConfigReader& in, ModelConfig& config) : in_(in), c_(config) {}

  // Its longest sequence, or 0.
  int64_t l_max() const { return l_max_; }

  // Without options it is attention over all tokens before.
  Mixer read(const char* key) {
    if (!in_.has(key)) return attention(0, key);
    ConfigReader mixer = in_.inside(key);
    l_max_ = std::max(l_max_, mixer.size("l_max", 0, std::numeric_limits<int32_t>::max(), 0));
    auto name = class_of(mixer);
    if (name == "SlidingAttention") {
      mixer.require_flag("causal", true, "causal attention");
      int64_t size = mixer.size("window_size", 128, std::numeric_limits<int32_t>::max(), 0);
      return attention(size / 2 + 1, key);
    }
    if (name == "LinearAttention") return linear(mixer);
    if (name == "BaseConv") return conv(mixer);
    mixer.refuse("_target_", "BaseConv, LinearAttention and SlidingAttention");
  }

 private:
  Mixer attention(int64_t window, const char* key) {
    if (window_ >= 0 && window != window_)
      in_.inconsistent(str(key, " has another window than the attention before it"));
    c_.window = window_ = window;
    return Mixer::attention;
  }

  Mixer linear(const ConfigReader& mixer) {
    c_.feature_dim = mixer.size("feature_dim", 16, 1024);
    if (mixer.size("num_heads", 16) != c_.heads)
      mixer.refuse("num_heads", "n_head heads in every layer");
    mixer.require_absent("head_dim", "heads of n_embd / n_head columns");
    ConfigReader map = mixer.inside("feature_map");
    if (class_of(map) != "TaylorExp") map.refuse("_target_", "TaylorExp");
    if (map.size("input_dim") != c_.feature_dim) map.refuse("input_dim", "the mixer's feature_dim");
    return Mixer::linear;
  }

  Mixer conv(const ConfigReader& mixer) {
    mixer.require_flag("use_bias", true, "biases of a convolution's linear layers");
    mixer.require_flag("use_cuda", false, "no bias of the convolution itself");
    c_.conv_taps = mixer.size("kernel_size", 3, 16, 2);
    int64_t expansion = mixer.size("expand_proj", 2, 1024);
    if (expansion * c_.width % 2 != 0)
      mixer.refuse("expand_proj", "an even number of columns to convolve and to gate");
    c_.conv_width = expansion * c_.width / 2;
    return Mixer::conv;
  }

  const ConfigReader& in_;
  ModelConfig& c_;
  int64_t l_max_ = 0;
  int64_t window_ = -1;
};

// Which of the layers a list names.
std::vector<bool> listed(const ConfigReader& in, const char* key, int64_t layers) {
  std::vector<bool> is(static_cast<size_t>(layers));
  for (int64_t layer : in.id_list(key)) {
    if (layer < 0 || layer >= layers) in.expected(key, str("layers from 0 to ", layers - 1));
    is[static_cast<size_t>(layer)] = true;
  }
  return is;
}

// Options of the original that a model without them does not have.
void check_options(const ConfigReader& in) {
  auto require = [&](const char* key, bool value, bool otherwise, std::string_view supported) {
    if (in.flag(key, otherwise) != value) in.refuse(key, supported);
  };
  require("rms_norm", true, false, "RMSNorm");
  for (const char* key : {"mlp_fc1_bias", "mlp_fc2_bias", "qkv_proj_bias", "out_proj_bias"})
    require(key, false, true, "biases in convolution layers only");
  require("lm_head_bias", false, false, "no bias of the head");
  require("prenorm", true, true, "norms before attention and feed-forward");
  require("parallel_block", false, false, "one after the other");
  require("rotary_emb_interleaved", false, false, "rotary pairs half a head apart");
  require("scale_attn_weights", true, true, "scores divided by the root of the head's width");
  require("scale_attn_by_inverse_layer_idx", false, false, "the same scale in every layer");
  for (const char* key : {"fixed_decay", "attn_dwconv"}) require(key, false, false, "none");
  for (const char* key : {"rotary_emb_scale_base", "word_embed_proj_dim", "head_dim"})
    in.require_absent(key, "none");
  if (in.number("rotary_emb_fraction", 0) != 1)
    in.refuse("rotary_emb_fraction", "rotary positions over the whole head");
  if (in.text("activation_function", "") != "swiglu") in.refuse("activation_function", "swiglu");
  if (in.text("mlp_type", "base") != "base") in.refuse("mlp_type", "base");
}

}  // namespace

ModelConfig based_from_hf(const ConfigReader& in) {
  ModelConfig config;
  config.family = "based";
  config.width = in.size("n_embd");
  config.layers = in.size("n_layer", {}, most_layers);
  config.heads = config.kv_heads = in.size("n_head");
  if (in.size("n_head_kv", config.heads) != config.heads)
    in.refuse("n_head_kv", "as many key heads as heads");
  config.hidden = in.size("n_inner", 4 * config.width);
  config.norm_eps = in.number("layer_norm_epsilon", 1e-5);
  config.rope_theta = in.number("rotary_emb_base", 10000.0);
  if (!(config.rope_theta > 0)) in.expected("rotary_emb_base", "a positive number");
  config.tie_embeddings = in.flag("tie_word_embeddings", true);
  config.dropout = in.rate("resid_pdrop", 0.1);
  config.attention_dropout = in.rate("attn_pdrop", 0.1);
  config.embedding_dropout = in.rate("embd_pdrop", 0.1);
  check_options(in);

  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  int64_t multiple = in.size("pad_vocab_size_multiple", 1, 1 << 20);
  config.vocab_size = (in.size("vocab_size") + multiple - 1) / multiple * multiple;

  MixerReader mixers(in, config);
  auto alt = listed(in, "alt_mixer_layers", config.layers);
  auto alt_2 = listed(in, "alt_mixer_2_layers", config.layers);
  config.mixers.clear();
  // Options of a place that no layer has do not matter.
  std::optional<Mixer> kinds[3];
  const char* const places[] = {"mixer", "alt_mixer", "alt_mixer_2"};
  for (size_t i = 0; i < alt.size(); ++i) {
    size_t place = alt_2[i] ? 2 : alt[i] ? 1 : 0;
    if (!kinds[place]) kinds[place] = mixers.read(places[place]);
    config.mixers.emplace_back(mixer_names[static_cast<size_t>(*kinds[place])]);
  }
  // Learned positions are absent where their number is 0, which is GPT-2's number of positions too;
  // then only the mixers know how long a sequence may be.
  int64_t positions = in.size("n_positions", 0, most, 0);
  if (in.size("max_position_embeddings", positions, most, 0) != 0)
    in.refuse("max_position_embeddings", "0, no learned positions");
  config.context = std::max({positions, in.size("n_ctx", 0, most, 0), mixers.l_max()});
  if (config.context == 0) in.inconsistent("there is no n_ctx and no mixer with an l_max");
  if (config.window >= config.context) config.window = 0;
  return config;
}

}  // namespace anneal
