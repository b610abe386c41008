#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"
#include "anneal/model/transformer.hpp"

namespace anneal {
namespace {

constexpr std::string_view factors_name = "rope_freqs.weight";

// Our families and llama.cpp's names of them; of families that share one, the first is read.
constexpr std::pair<std::string_view, std::string_view> architectures[] = {
    {"gpt2", "gpt2"},   {"llama", "llama"}, {"mistral", "llama"},
    {"qwen2", "qwen2"}, {"qwen3", "qwen3"}, {"gpt_neox", "gptneox"},
};

std::string architecture_of(const ModelConfig& config) {
  for (auto [family, architecture] : architectures)
    if (family == config.family) return std::string(architecture);
  throw UsageError(str("[model.family] llama.cpp has no architecture for models of the family ",
                       config.family, ", so that there is no GGUF file of them"));
}

class MetadataReader {
 public:
  explicit MetadataReader(const GgufFile& file) : file_(file) {
    architecture_ = file.text("general.architecture").value_or("");
    std::string expected;
    for (auto [family, architecture] : architectures) {
      if (architecture == architecture_ && family_.empty()) family_ = family;
      if (expected.find(architecture) == std::string::npos)
        expected += str(expected.empty() ? "" : ", ", architecture);
    }
    if (family_.empty())
      throw UsageError(str("[", file.where(),
                           "] general.architecture = ", quoted_name(architecture_),
                           " is not supported (expected one of ", expected, ")"));
  }

  const std::string& family() const { return family_; }

  int64_t size(const char* key, std::optional<int64_t> otherwise, int64_t most) const {
    auto value = file_.integer(full(key));
    if (!value) value = otherwise;
    if (!value)
      throw FormatError(str("[", file_.where(), "] ", full(key), ": missing, expected a size"));
    if (*value < 1 || *value > most)
      throw FormatError(
          str("[", file_.where(), "] ", full(key), ": expected 1 to ", most, ", got ", *value));
    return *value;
  }

  double positive(const char* key, double otherwise) const {
    double value = file_.number(full(key)).value_or(otherwise);
    // A file says FP32 of what is 1e-5 or 100000: the shortest decimal number of it is meant.
    if (!(value > 0) || !std::isfinite(value))
      throw FormatError(str("[", file_.where(), "] ", full(key), ": expected a positive number"));
    char text[64];
    auto end = std::to_chars(text, text + sizeof text, static_cast<float>(value)).ptr;
    double shortest = value;
    std::from_chars(text, end, shortest);
    return shortest;
  }

  // Refuses unless the key is missing or `accepted` says yes to its value.
  template <class Accepted>
  void require(const char* key, std::string_view supported, Accepted accepted) const {
    auto value = file_.find(full(key)) ? file_.number(full(key)) : std::nullopt;
    if (value && !accepted(*value))
      throw UsageError(str("[", file_.where(), "] ", full(key), " = ", *value,
                           " is not supported (Anneal's model has ", supported, ")"));
  }

  std::string full(const char* key) const { return architecture_ + "." + key; }

 private:
  const GgufFile& file_;
  std::string architecture_, family_;
};

// The part of `whole` columns that `part` are, so that ModelConfig::rotated gives `part` again.
double fraction(int64_t part, int64_t whole) {
  double f = static_cast<double>(part) / static_cast<double>(whole);
  return static_cast<int64_t>(f * static_cast<double>(whole)) == part ? f : std::nextafter(f, 2.0);
}

// Metadata does not say how rope_freqs.weight was made; the numbers of the published models do.
RopeScaling scaling_of(const GgufFile& file, ModelConfig config) {
  const GgufEntry* entry = file.find_tensor(factors_name);
  if (!entry) return {};
  auto refuse = [&](auto&&... what) {
    throw UsageError(str("[", file.where(), "] ", factors_name, ": ", what...));
  };
  int64_t pairs = config.rotated() / 2;
  if (entry->shape != Shape{pairs})
    refuse("expected one factor for each of ", pairs, " pairs, got ", entry->shape);
  std::vector<float> factors(static_cast<size_t>(pairs));
  file.read_as_f32(*entry, factors.data());
  config.rope_scaling = {.factor = *std::ranges::max_element(factors)};
  if (!(config.rope_scaling.factor >= 1)) refuse("expected factors from 1");
  auto expected = rope_factors(config);
  for (size_t i = 0; i < factors.size(); ++i)
    if (!(std::fabs(factors[i] - expected[i]) <= 1e-4f * expected[i]))
      refuse("pair ", i, " is divided by ", factors[i],
             ", which Llama 3's scaling from a context of ", config.rope_scaling.original_context,
             " does not do");
  return config.rope_scaling;
}

}  // namespace

ModelConfig model_config_from_gguf(const GgufFile& file) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  MetadataReader in(file);
  const GgufEntry* embedding = file.find_tensor("token_embd.weight");
  if (!embedding || embedding->shape.rank() != 2)
    throw FormatError(str("[", file.where(), "] has no matrix token_embd.weight"));
  ModelConfig config;
  config.family = in.family();
  config.width = in.size("embedding_length", {}, most);
  config.layers = in.size("block_count", {}, 65536);
  config.heads = in.size("attention.head_count", {}, most);
  config.kv_heads = in.size("attention.head_count_kv", config.heads, most);
  config.hidden = in.size("feed_forward_length", {}, most);
  config.context = in.size("context_length", {}, most);
  config.vocab_size = embedding->shape[0];
  config.tie_embeddings = file.find_tensor("output.weight") == nullptr;
  auto inconsistent = [&](auto&&... what) {
    throw FormatError(str("[", file.where(), "] ", what...));
  };
  if (config.layers > static_cast<int64_t>(file.entries().size()))
    inconsistent("block_count = ", config.layers, " with only ", file.entries().size(), " tensors");
  if (config.heads % config.kv_heads != 0)
    inconsistent("attention.head_count_kv = ", config.kv_heads,
                 " does not divide head_count = ", config.heads);
  int64_t natural = config.width % config.heads == 0 ? config.width / config.heads : 0;
  int64_t d =
      in.size("attention.key_length", natural == 0 ? std::nullopt : std::optional(natural), 1024);
  if (d != natural) config.head_width = d;
  in.require("attention.value_length", "values as wide as keys",
             [&](double v) { return v == static_cast<double>(d); });
  in.require("expert_count", "no experts", [](double v) { return v == 0; });
  in.require("attention.sliding_window", "full causal attention",
             [&](double v) { return v == 0 || v >= static_cast<double>(config.context); });
  const Family& family = config.traits();
  if (!family.free_heads && (config.kv_heads != config.heads || config.head_width != 0))
    inconsistent(family.name, " has as many key heads as heads, together as wide as the stream");
  config.norm_eps = in.positive(
      family.layernorm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5);
  if (family.neox_options) {
    config.parallel_residual =
        file.boolean(in.full("use_parallel_residual")).value_or(config.parallel_residual);
    config.rotary_fraction = fraction(in.size("rope.dimension_count", d, d), d);
  }
  if (family.rotary) {
    if (config.rotated() % 2 != 0)
      inconsistent("heads of width ", d, ", of which ", config.rotated(),
                   " columns turn: rotary positions need an even number");
    config.rope_theta = in.positive("rope.freq_base", 10000);
    in.require("rope.dimension_count", "rotary positions over the whole head",
               [&](double v) { return v == static_cast<double>(config.rotated()); });
    if (file.text(in.full("rope.scaling.type")).value_or("none") != "none")
      in.require("rope.scaling.factor", "no scaling but Llama 3's",
                 [](double v) { return v == 1 || v == 0; });
    config.rope_scaling = scaling_of(file, config);
  }
  if (config.matrix_elements() > ModelConfig::most_matrix_elements)
    inconsistent("the sizes make more parameters than can be counted");
  return config;
}

void add_model_metadata(const ModelConfig& config, GgufWriter& out) {
  std::string prefix = architecture_of(config);
  auto size = [&](const char* key, int64_t value) {
    out.add(prefix + "." + key, static_cast<uint32_t>(value));
  };
  auto number = [&](const char* key, double value) {
    out.add(prefix + "." + key, static_cast<float>(value));
  };
  out.add("general.architecture", prefix);
  size("context_length", config.context);
  size("embedding_length", config.width);
  size("block_count", config.layers);
  size("feed_forward_length", config.hidden);
  size("attention.head_count", config.heads);
  size("attention.head_count_kv", config.kv_heads);
  const Family& family = config.traits();
  number(family.layernorm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
         config.norm_eps);
  if (family.neox_options) out.add(prefix + ".use_parallel_residual", config.parallel_residual);
  if (family.rotary) {
    number("rope.freq_base", config.rope_theta);
    size("rope.dimension_count", config.rotated());
    if (config.head_width > 0) {
      size("attention.key_length", config.head_width);
      size("attention.value_length", config.head_width);
    }
  }
  size("vocab_size", config.vocab_size);
}

}  // namespace anneal
