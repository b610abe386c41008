#include "anneal/checkpoint/hf_config_reader.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "anneal/checkpoint/hf_config.hpp"

namespace anneal {

struct ConfigDocument {
  nlohmann::json object;
};

namespace {

using Json = nlohmann::json;

constexpr int max_depth = 64;
constexpr int64_t widest_head = 1024;

// A value fit for a message.
std::string shown(const Json& value) {
  auto text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() > 80 ? text.substr(0, 80) + "…" : text;
}

const Json* find(const ConfigReader& in, const char* key) {
  const Json& object = in.document().object;
  auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

}  // namespace

ConfigReader::ConfigReader(std::string_view text, std::string where) : where_(std::move(where)) {
  Json json;
  try {
    // A bounded depth, since what walks over a document recurses.
    json = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      if (depth > max_depth) inconsistent("is nested too deeply");
      return true;
    });
  } catch (const Json::exception& e) {
    throw FormatError(str("[", where_, "] is not valid JSON: ", e.what()));
  }
  if (!json.is_object()) throw FormatError(str("[", where_, "] expected a JSON object"));
  document_ = std::make_shared<ConfigDocument>(ConfigDocument{std::move(json)});
}

ConfigReader ConfigReader::inside(const char* key) const {
  auto value = find(*this, key);
  if (!value) inconsistent(str(key, ": missing, expected an object"));
  if (!value->is_object()) expected(key, "an object");
  return {std::make_shared<ConfigDocument>(ConfigDocument{*value}), str(where_, "] [", key)};
}

bool ConfigReader::has(const char* key) const { return find(*this, key) != nullptr; }

int64_t ConfigReader::size(const char* key, std::optional<int64_t> otherwise, int64_t most,
                           int64_t least) const {
  auto value = find(*this, key);
  if (!value) {
    if (otherwise) return *otherwise;
    throw FormatError(str("[", where_, "] ", key, ": missing, expected a positive integer"));
  }
  if (!value->is_number_integer() || value->get<double>() < static_cast<double>(least) ||
      value->get<double>() > static_cast<double>(most))
    expected(key, str("an integer from ", least, " to ", most));
  return value->get<int64_t>();
}

double ConfigReader::number(const char* key, double otherwise) const {
  auto value = find(*this, key);
  if (!value) return otherwise;
  if (!value->is_number() || !std::isfinite(value->get<double>()) || value->get<double>() < 0)
    expected(key, "a number that is not negative");
  return value->get<double>();
}

double ConfigReader::rate(const char* key, double otherwise) const {
  double value = number(key, otherwise);
  if (value >= 1) expected(key, "a rate below 1");
  return value;
}

bool ConfigReader::flag(const char* key, bool otherwise) const {
  auto value = find(*this, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) expected(key, "true or false");
  return value->get<bool>();
}

std::string ConfigReader::text(const char* key, const std::string& otherwise) const {
  auto value = find(*this, key);
  if (!value) return otherwise;
  if (!value->is_string()) expected(key, "text");
  return value->get<std::string>();
}

std::optional<int64_t> ConfigReader::id(const char* key) const {
  auto ids = id_list(key);
  if (ids.size() > 1) expected(key, "one token id");
  return ids.empty() || ids[0] < 0 ? std::nullopt : std::optional(ids[0]);
}

std::vector<int64_t> ConfigReader::id_list(const char* key) const {
  auto value = find(*this, key);
  if (!value) return {};
  std::vector<int64_t> ids;
  for (const auto& id : value->is_array() ? *value : Json::array({*value})) {
    if (!id.is_number_integer() ||
        std::fabs(id.get<double>()) > std::numeric_limits<int32_t>::max())
      expected(key, "a token id or a list of them");
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void ConfigReader::expected(const char* key, std::string_view what) const {
  throw FormatError(
      str("[", where_, "] ", key, ": expected ", what, ", got ", shown(*find(*this, key))));
}

void ConfigReader::inconsistent(std::string_view message) const {
  throw FormatError(str("[", where_, "] ", message));
}

void ConfigReader::refuse(const char* key, std::string_view supported) const {
  auto value = find(*this, key);
  throw UsageError(str("[", where_, "] ", key,
                       value ? " = " + shown(*value) : ", which is missing,",
                       " is not supported (Anneal's model has ", supported, ")"));
}

void ConfigReader::require_flag(const char* key, bool value, std::string_view supported) const {
  if (flag(key, value) != value) refuse(key, supported);
}

void ConfigReader::require_absent(const char* key, std::string_view supported) const {
  auto value = find(*this, key);
  if (value && *value != false) refuse(key, supported);
}

namespace {

ModelConfig gpt2(const ConfigReader& in) {
  ModelConfig config;
  config.family = "gpt2";
  config.width = in.size("n_embd");
  config.layers = in.size("n_layer", {}, most_layers);
  config.heads = config.kv_heads = in.size("n_head");
  config.hidden = in.size("n_inner", 4 * config.width);
  config.context = in.size("n_positions");
  config.norm_eps = in.number("layer_norm_epsilon", 1e-5);
  config.tie_embeddings = in.flag("tie_word_embeddings", true);

  auto activation = in.text("activation_function", "gelu_new");
  if (activation != "gelu_new" && activation != "gelu_pytorch_tanh")
    in.refuse("activation_function", "gelu_new");
  in.require_flag("scale_attn_weights", true, "scores divided by the root of the head's width");
  in.require_flag("scale_attn_by_inverse_layer_idx", false, "the same scale in every layer");
  in.require_flag("add_cross_attention", false, "self-attention only");
  config.dropout = in.rate("resid_pdrop", 0.1);
  config.attention_dropout = in.rate("attn_pdrop", 0.1);
  config.embedding_dropout = in.rate("embd_pdrop", 0.1);
  return config;
}

// rope_scaling (until transformers 4) or rope_parameters (from 5).
class RopeReader {
 public:
  RopeReader(const ConfigReader& in, const char* key, const Json& rope)
      : in_(in), key_(key), rope_(rope) {
    if (!rope.is_object()) in.expected(key, "an object or null");
  }

  void read(ModelConfig& config) const {
    std::string type = "default";
    for (const auto& [name, value] : rope_.items()) {
      if (name == "rope_theta") config.rope_theta = number("rope_theta");
      if (name == "partial_rotary_factor") config.rotary_fraction = number("partial_rotary_factor");
      if (name == "rope_type" || name == "type") type = value.is_string() ? value : Json("?");
    }
    if (type != "default" && type != "llama3")
      in_.refuse(key_, "rotary positions unscaled or scaled as rope_type llama3 does");
    RopeScaling scaling;
    if (type == "llama3") {
      scaling.factor = number("factor");
      scaling.low = number("low_freq_factor");
      scaling.high = number("high_freq_factor");
      double context = number("original_max_position_embeddings");
      if (context > std::numeric_limits<int32_t>::max() || context != std::floor(context))
        expected("original_max_position_embeddings", "a number of tokens");
      scaling.original_context = static_cast<int64_t>(context);
      if (scaling.factor < 1) expected("factor", "a number from 1");
      if (scaling.high <= scaling.low) expected("high_freq_factor", "more than low_freq_factor");
      config.rope_scaling = scaling;
    }
    for (const auto& [name, value] : rope_.items()) {
      bool known = name == "rope_theta" || name == "rope_type" || name == "type" ||
                   (name == "partial_rotary_factor" && config.traits().neox_options);
      if (type == "llama3")
        known = known || name == "factor" || name == "low_freq_factor" ||
                name == "high_freq_factor" || name == "original_max_position_embeddings";
      if (!known && !value.is_null())
        in_.refuse(key_, str("no ", name.substr(0, 40), " with rope_type ", type));
    }
  }

 private:
  double number(const char* name) const {
    auto at = rope_.find(name);
    if (at == rope_.end() || !at->is_number() || !std::isfinite(at->get<double>()) ||
        at->get<double>() <= 0)
      expected(name, "a positive number");
    return at->get<double>();
  }
  [[noreturn]] void expected(const char* name, std::string_view what) const {
    auto at = rope_.find(name);
    throw FormatError(str("[", in_.where(), "] ", key_, ".", name, ": expected ", what, ", got ",
                          at == rope_.end() ? "nothing" : shown(*at)));
  }

  const ConfigReader& in_;
  const char* key_;
  const Json& rope_;
};

void read_rope(const ConfigReader& in, ModelConfig& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (auto rope = find(in, key)) RopeReader(in, key, *rope).read(config);
  if (!(config.rope_theta > 0))
    in.expected(find(in, "rope_theta") ? "rope_theta" : "rotary_emb_base", "a positive number");
}

// The first layer with a window by layer_types, which has one from there on and none before.
int64_t first_window(const ConfigReader& in, const Json& types, int64_t layers) {
  int64_t first = layers, i = 0;
  for (const auto& type : types) {
    bool window = type == "sliding_attention";
    if (!(window || type == "full_attention") || (!window && first < layers))
      in.refuse("layer_types", "full_attention, then sliding_attention");
    if (window && first == layers) first = i;
    ++i;
  }
  return first;
}

// A window that never hides anything is none.
void read_window(const ConfigReader& in, ModelConfig& config) {
  bool mistral = config.family == "mistral";
  auto window = find(in, "sliding_window");
  bool on = in.flag("use_sliding_window", mistral || config.family == "llama");
  if (on && find(in, "use_sliding_window") && !window)
    in.refuse("use_sliding_window", "a sliding_window with it");
  auto types = find(in, "layer_types");
  int64_t from = config.layers;
  if (types)
    from = first_window(in, *types, config.layers);
  else if (on)
    from = mistral || !find(in, "max_window_layers")
               ? 0
               : in.size("max_window_layers", 0, most_layers, 0);
  if (from >= config.layers) return;
  if (!window || *window == false) {
    if (types) in.refuse("layer_types", "a sliding_window with sliding_attention");
    return;
  }
  int64_t size = in.size("sliding_window");
  if (size >= config.context) return;
  if (!config.traits().windows) in.refuse("sliding_window", "full causal attention");
  if (mistral && from != 0) in.refuse("layer_types", "the same in every layer");
  config.window = size;
  config.window_from = from;
}

ModelConfig llama_like(const ConfigReader& in, const std::string& family) {
  ModelConfig config;
  config.family = family;
  config.width = in.size("hidden_size");
  config.layers = in.size("num_hidden_layers", {}, most_layers);
  config.heads = in.size("num_attention_heads");
  config.kv_heads = in.size("num_key_value_heads", config.heads);
  config.hidden = in.size("intermediate_size");
  config.context = in.size("max_position_embeddings");
  config.norm_eps = in.number("rms_norm_eps", 1e-6);
  config.rope_theta = in.number("rope_theta", 10000.0);
  config.attention_dropout = in.rate("attention_dropout", 0.0);
  config.tie_embeddings = in.flag("tie_word_embeddings", false);

  read_rope(in, config);
  if (in.number("partial_rotary_factor", 1) != 1)
    in.refuse("partial_rotary_factor", "rotary positions over the whole head");
  if (in.text("hidden_act", "silu") != "silu") in.refuse("hidden_act", "silu");
  in.require_flag("attention_bias", false, "no biases");
  in.require_flag("mlp_bias", false, "no biases");
  read_window(in, config);
  if (config.heads % config.kv_heads != 0)
    in.inconsistent(str("num_key_value_heads = ", config.kv_heads,
                        " does not divide num_attention_heads = ", config.heads));
  if (int64_t d = in.size("head_dim", config.traits().head_width, widest_head);
      d * config.heads != config.width)
    config.head_width = d;
  return config;
}

ModelConfig gpt_neox(const ConfigReader& in) {
  ModelConfig config;
  config.family = "gpt_neox";
  config.width = in.size("hidden_size");
  config.layers = in.size("num_hidden_layers", {}, most_layers);
  config.heads = config.kv_heads = in.size("num_attention_heads");
  config.hidden = in.size("intermediate_size");
  config.context = in.size("max_position_embeddings");
  config.norm_eps = in.number("layer_norm_eps", 1e-5);
  config.rope_theta = in.number("rotary_emb_base", 10000.0);
  config.rotary_fraction = in.number("rotary_pct", 0.25);
  config.parallel_residual = in.flag("use_parallel_residual", true);
  config.tie_embeddings = in.flag("tie_word_embeddings", false);
  config.dropout = in.rate("hidden_dropout", 0.0);
  config.attention_dropout = in.rate("attention_dropout", 0.0);
  config.embedding_dropout = config.dropout;

  auto activation = in.text("hidden_act", "gelu");
  if (activation == "gelu_new" || activation == "gelu_fast" || activation == "gelu_pytorch_tanh")
    config.activation = "gelu_tanh";
  else if (activation != "gelu")
    in.refuse("hidden_act", "gelu, gelu_new, gelu_fast or gelu_pytorch_tanh");
  in.require_flag("attention_bias", true, "biases in every layer");
  read_rope(in, config);
  return config;
}

ModelConfig by_naming(const ConfigReader& in, const Family& family) {
  switch (family.naming) {
    case Naming::gpt2:
      return gpt2(in);
    case Naming::llama:
      return llama_like(in, std::string(family.name));
    case Naming::gpt_neox:
      return gpt_neox(in);
    case Naming::based:
      return based_from_hf(in);
  }
  return {};
}

// What every family's config must agree on.
void check_heads(const ConfigReader& in, const ModelConfig& config) {
  if (config.head_width == 0 && config.width % config.heads != 0)
    in.inconsistent(str(config.heads, " heads do not divide the width ", config.width));
  if (!config.traits().rotary) return;
  if (config.traits().neox_options && !(config.rotary_fraction > 0 && config.rotary_fraction <= 1))
    in.inconsistent(
        str("rotary_pct: expected a number above 0, at most 1, got ", config.rotary_fraction));
  if (config.rotated() == 0 || config.rotated() % 2 != 0)
    in.inconsistent(str("heads of width ", config.head_dim(), " (head_dim), of which ",
                        config.rotated(), " columns turn: rotary positions need an even number"));
}

}  // namespace

ModelConfig model_config_from_hf(std::string_view json, const std::string& where) {
  ConfigReader in(json, where);
  auto type = in.text("model_type", "");
  // The original's configs are GPT-2's with more members, and say so or nothing.
  if ((type == "gpt2" || type.empty()) && (find(in, "mixer") || find(in, "alt_mixer")))
    type = "based";
  const Family* family = find_family(type);
  if (!family)
    throw UsageError(str("[", where, "] model_type = ",
                         find(in, "model_type") ? shown(*find(in, "model_type")) : "missing",
                         " is not supported (expected one of ", family_names(), ")"));
  in.require_absent("quantization_config", "weights that are not quantised");
  auto config = by_naming(in, *family);
  if (config.vocab_size == 0) config.vocab_size = in.size("vocab_size");
  check_heads(in, config);
  if (config.matrix_elements() > ModelConfig::most_matrix_elements)
    in.inconsistent(str("the sizes make ", config.matrix_elements(), " parameters, at most ",
                        ModelConfig::most_matrix_elements, " can be counted"));
  // What every config says that asks for one rate.
  for (double* rate : {&config.attention_dropout, &config.embedding_dropout})
    if (*rate == config.dropout) *rate = -1;
  return config;
}

HfTokenIds token_ids_from_hf(std::string_view json, const std::string& where) {
  ConfigReader in(json, where);
  return {in.id("bos_token_id"), in.id_list("eos_token_id"), in.id("pad_token_id")};
}

}  // namespace anneal
