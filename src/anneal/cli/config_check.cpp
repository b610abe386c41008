#include "anneal/cli/config_check.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "anneal/base/error.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/optim/optimizer.hpp"

namespace anneal {
namespace {

[[noreturn]] void refuse(const LoadedConfig& loaded, std::string_view key, const std::string& what,
                         const std::string& fix) {
  throw UsageError(str("[", loaded.at(key), "] ", what, " (", fix, ")"));
}

// "model.width = 384, my.toml:9", to name a key that a message is not about but that matters.
std::string other(const LoadedConfig& loaded, std::string_view key) {
  auto found = loaded.where.find(key);
  return str(key, " = ", find_key(key)->value(loaded.config),
             found == loaded.where.end() ? " (default)" : str(" (", found->second, ")"));
}

// Of keys that contradict each other, the one to report: an override before a line of the file,
// and either before a default.
std::string_view culprit(const LoadedConfig& loaded, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (auto found = loaded.where.find(key);
        found != loaded.where.end() && found->second == "--set")
      return key;
  for (auto key : keys)
    if (loaded.is_set(key)) return key;
  return *keys.begin();
}

// The divisors of `number` next to `near`, as "6 or 8".
std::string divisors(int64_t number, int64_t near) {
  int64_t below = std::clamp<int64_t>(near, 1, number), above = below;
  while (number % below != 0) --below;
  while (number % above != 0) ++above;
  return below == above ? str(below) : str(below, " or ", above);
}

void check_name(const LoadedConfig& loaded) {
  const auto& name = loaded.config.name;
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    refuse(loaded, "name", str(toml_string(name), " cannot be the name of a folder"),
           "use letters, digits, - and _");
}

// A key that only some families, optimizers or schedules read.
struct KindKey {
  std::string_view key;
  std::vector<std::string_view> kinds;
};

// Refuses a value that would have no effect.
void check_kind_key(const LoadedConfig& loaded, std::string_view kind_key, const KindKey& rule) {
  const Key& key = *find_key(rule.key);
  std::string kind = find_key(kind_key)->value(loaded.config);  // quoted
  bool read =
      std::ranges::any_of(rule.kinds, [&](std::string_view k) { return toml_string(k) == kind; });
  if (read || key.value(loaded.config) == key.value(RunConfig{})) return;
  std::string kinds;
  for (auto k : rule.kinds) kinds += str(kinds.empty() ? "" : " or ", toml_string(k));
  refuse(loaded, culprit(loaded, {rule.key, kind_key}),
         str(other(loaded, rule.key), " has no effect with ", other(loaded, kind_key)),
         str("remove it, or set ", kind_key, " to ", kinds));
}

// Keys that only families with `trait` have.
void check_family_keys(const LoadedConfig& loaded, bool Family::*trait,
                       std::initializer_list<std::string_view> keys) {
  std::vector<std::string_view> with;
  for (const Family& family : families)
    if (family.*trait) with.push_back(family.name);
  for (std::string_view key : keys) check_kind_key(loaded, "model.family", {key, with});
}

void check_mixers(const LoadedConfig& loaded) {
  const auto& m = loaded.config.model;
  for (const std::string& name : m.mixers)
    if (std::ranges::find(mixer_names, name) == std::end(mixer_names))
      refuse(loaded, "model.mixers", str("there is no mixer ", toml_string(name)),
             "use attention, linear and conv");
  if (m.mixers.empty())
    refuse(loaded, "model.mixers", "expected at least one mixer", "remove it to have the default");
  if (2 * m.convolved() % m.width != 0)
    refuse(loaded, culprit(loaded, {"model.conv_width", "model.width"}),
           str("expected a multiple of half the width, got ", m.conv_width),
           str("set model.conv_width to ", 2 * m.width));
  const DataConfig& data = loaded.config.data;
  if (data.isolates())
    refuse(loaded, data.has_samples() ? "data.packing" : "data.isolate_documents",
           "convolutions and linear attention see across the borders of documents",
           "remove it, or use another model.family");
}

void check_architecture(const LoadedConfig& loaded) {
  const auto& m = loaded.config.model;
  const Family& family = m.traits();
  check_family_keys(loaded, &Family::neox_options,
                    {"model.rotary_fraction", "model.parallel_residual", "model.activation"});
  check_family_keys(loaded, &Family::windows, {"model.window", "model.window_from"});
  check_family_keys(loaded, &Family::mixers,
                    {"model.mixers", "model.feature_dim", "model.conv_taps", "model.conv_width"});
  if (family.mixers) check_mixers(loaded);
  if ((m.family == "mistral" || family.mixers) && m.window_from != 0)
    refuse(loaded, "model.window_from",
           str(m.family, " has the same window in every layer with attention"),
           "remove it, or use model.family = \"qwen2\"");
  if (m.head_width == 0 && m.width % m.heads != 0)
    refuse(loaded, culprit(loaded, {"model.heads", "model.width"}),
           str("the heads must divide the width, got ", other(loaded, "model.heads"), " and ",
               other(loaded, "model.width")),
           str("for this width set model.heads to ", divisors(m.width, m.heads)));
  if (!family.free_heads && m.kv_heads != 0 && m.kv_heads != m.heads)
    refuse(loaded, culprit(loaded, {"model.kv_heads", "model.heads"}),
           str(m.family, " has as many kv_heads as heads, got ", other(loaded, "model.kv_heads"),
               " and ", other(loaded, "model.heads")),
           "remove model.kv_heads, or use model.family = \"llama\"");
  if (m.kv_heads != 0 && m.heads % m.kv_heads != 0)
    refuse(loaded, culprit(loaded, {"model.kv_heads", "model.heads"}),
           str("the kv_heads must divide the heads, got ", other(loaded, "model.kv_heads"), " and ",
               other(loaded, "model.heads")),
           str("set model.kv_heads to ", divisors(m.heads, m.kv_heads)));
  if (!family.free_heads && m.head_width != 0 && m.head_width * m.heads != m.width)
    refuse(loaded, culprit(loaded, {"model.head_width", "model.heads"}),
           str("the heads of ", m.family, " are as wide as the stream together"),
           "remove model.head_width, or use model.family = \"llama\"");
  if (family.rotary && m.rope_scaling.high <= m.rope_scaling.low)
    refuse(loaded, culprit(loaded, {"model.rope_high", "model.rope_low"}),
           str("expected model.rope_high above model.rope_low, got ",
               other(loaded, "model.rope_high"), " and ", other(loaded, "model.rope_low")),
           "remove both to have Llama 3's");
  if (family.activation == Activation::swiglu && m.hidden == 0)
    refuse(loaded, culprit(loaded, {"model.hidden", "model.family"}),
           str(m.family, " has no default for model.hidden"),
           str("state it, for example model.hidden = ", (m.width * 8 / 3 + 63) / 64 * 64,
               ", about 8/3 of the width"));
  if (m.rotary_fraction < 1 && (m.rotated() == 0 || m.rotated() % 2 != 0))
    refuse(loaded, culprit(loaded, {"model.rotary_fraction", "model.heads", "model.width"}),
           str("an even number of columns of a head must turn, got ", m.rotated(), " of ",
               m.head_dim(), " from ", other(loaded, "model.rotary_fraction")),
           str("set model.rotary_fraction to ",
               toml_number(static_cast<double>(std::max<int64_t>(2, m.rotated() / 2 * 2)) /
                           static_cast<double>(m.head_dim())),
               " for example"));
  if (family.rotary && m.rotary_fraction == 1 && m.head_dim() % 2 != 0)
    refuse(loaded, culprit(loaded, {"model.heads", "model.width", "model.head_width"}),
           str("rotary positions need heads of even width, got ", m.head_dim(), " from ",
               other(loaded, "model.width"), " and ", other(loaded, "model.heads")),
           str("make model.width a multiple of ", 2 * m.heads));
  RunConfig resolved = loaded.config;
  resolve(resolved);
  if (auto elements = resolved.model.matrix_elements();
      elements > ModelConfig::most_matrix_elements)
    refuse(loaded, culprit(loaded, {"model.hidden", "model.width", "model.layers"}),
           str("the model would have ", elements, " parameters, more than can be counted"),
           "lower model.layers, model.width or model.hidden");
}

void check_lora(const LoadedConfig& loaded) {
  const auto& c = loaded.config;
  if (c.lora.rank > 0 && c.model.init.empty())
    refuse(loaded, "lora.rank", "adapters belong to a trained model, and model.init names none",
           "set model.init to its directory, or lora.rank to 0");
}

void check_data_keys(const LoadedConfig& loaded, DataRule rule) {
  const auto& c = loaded.config;
  bool without_data = rule == DataRule::optional && !loaded.is_set("data.train");
  if (without_data && c.model.vocab_size == 0 && c.model.init.empty())
    refuse(loaded, "model.vocab_size", "without data.train it has to be given",
           "set it, for example to 50257, or name training files under [data]");
  if (without_data)
    for (const char* key : {"data.validation", "data.tokenizer", "data.dtype"})
      if (loaded.is_set(key))
        refuse(loaded, key, "there is no data that it could be about",
               "set data.train, or remove it");
  if (c.data.train.empty() && !without_data)
    refuse(loaded, "data.train",
           loaded.is_set("data.train") ? "the list of training files is empty"
                                       : "no training files are given",
           "name some under [data], for example train = [\"texts/*.txt\"]");
  bool no_validation = c.data.validation_files.empty() && c.data.validation_fraction == 0;
  if (no_validation && c.train.eval_every > 0 && loaded.is_set("train.eval_every"))
    refuse(loaded, "train.eval_every", "there is no validation data to evaluate on",
           "set data.validation to a fraction such as 0.05 or a list of files, or train.eval_every "
           "to 0");
}

void check_batch(const LoadedConfig& loaded) {
  const auto& t = loaded.config.train;
  if (t.batch % t.micro_batch != 0)
    refuse(loaded, culprit(loaded, {"train.micro_batch", "train.batch"}),
           str("the micro-batch must divide the batch, got ", other(loaded, "train.micro_batch"),
               " and ", other(loaded, "train.batch")),
           str("set train.micro_batch to ", divisors(t.batch, t.micro_batch)));
  auto shards = loaded.config.parallel.shards;
  auto sequences = t.batch / t.micro_batch;
  if (shards != 0 && sequences % shards != 0)
    refuse(loaded, culprit(loaded, {"parallel.shards", "train.micro_batch", "train.batch"}),
           str("shards · micro_batch must divide the batch, got ", other(loaded, "parallel.shards"),
               ", ", other(loaded, "train.micro_batch"), " and ", other(loaded, "train.batch")),
           str("set parallel.shards to ", divisors(sequences, shards)));
  // Samples and tokens of the whole run are counted in 64 bits.
  auto tokens = std::max<double>(1, static_cast<double>(t.steps)) * static_cast<double>(t.batch) *
                static_cast<double>(loaded.config.model.context);
  if (tokens > 0x1p62)
    refuse(loaded, culprit(loaded, {"train.steps", "train.batch", "model.context"}),
           str("the run would see ", tokens, " tokens, more than can be counted"),
           "lower train.steps, train.batch or model.context");
}

void check_dropout(const LoadedConfig& loaded) {
  const auto& m = loaded.config.model;
  for (auto [key, rate] : {std::pair{"model.attention_dropout", m.attention_dropout},
                           {"model.embedding_dropout", m.embedding_dropout}})
    if (rate < 0 && rate != -1)
      refuse(loaded, key, str("expected a rate, or -1 for that of model.dropout, got ", rate),
             "raise it to 0 or more, or remove it");
}

void check_loss_scale(const LoadedConfig& loaded) {
  double scale = loaded.config.train.loss_scale;
  // Anything else would round every gradient on the way back.
  if (std::exp2(std::round(std::log2(scale))) != scale)
    refuse(loaded, "train.loss_scale", str("expected a power of two, got ", scale),
           str("set train.loss_scale to ", toml_number(std::exp2(std::round(std::log2(scale))))));
}

void check_optimizer(const LoadedConfig& loaded) {
  const auto& o = loaded.config.optimizer;
  for (const KindKey& rule : {KindKey{"optimizer.momentum", {"sgd", "rmsprop", "muon"}},
                              {"optimizer.dampening", {"sgd"}},
                              {"optimizer.nesterov", {"sgd", "muon"}},
                              {"optimizer.alpha", {"rmsprop"}},
                              {"optimizer.centered", {"rmsprop"}}})
    check_kind_key(loaded, "optimizer.kind", rule);
  if (o.nesterov && (o.momentum == 0 || o.dampening > 0))
    refuse(loaded,
           culprit(loaded, {"optimizer.nesterov", "optimizer.momentum", "optimizer.dampening"}),
           str("looking ahead needs momentum without dampening, got ",
               other(loaded, "optimizer.momentum"), " and ", other(loaded, "optimizer.dampening")),
           "set optimizer.nesterov to false, or optimizer.momentum to 0.9 and "
           "optimizer.dampening to 0");
  if (o.dampening > 0 && o.momentum == 0)
    refuse(loaded, "optimizer.dampening", "there is no momentum to keep gradients out of",
           "set optimizer.momentum to 0.9 for example, or remove it");
}

void check_schedule_lengths(const LoadedConfig& loaded) {
  if (loaded.config.schedule.unit != "tokens") return;
  int64_t step = tokens_per_step(loaded.config);
  for (const char* name : {"schedule.warmup_steps", "schedule.horizon", "schedule.restart_period",
                           "schedule.decay_steps"}) {
    RunConfig config = loaded.config;
    Field field = find_key(name)->field(config);
    int64_t length = *std::get<int64_t*>(field);
    if (length > 0 && length < step)
      refuse(loaded, culprit(loaded, {name, "schedule.unit"}),
             str("counts tokens, and a step has ", step, " of them, got ", other(loaded, name)),
             str("set ", name, " to ", 100 * step, " for 100 steps, for example"));
  }
}

void check_schedule(const LoadedConfig& loaded) {
  check_schedule_lengths(loaded);
  const auto& o = loaded.config.optimizer;
  const auto& s = loaded.config.schedule;
  for (const KindKey& rule : {KindKey{"schedule.decay_rate", {"exponential"}},
                              {"schedule.restart_period", {"warm_restarts"}},
                              {"schedule.restart_growth", {"warm_restarts"}},
                              {"schedule.restart_decay", {"warm_restarts"}},
                              {"schedule.decay_steps", {"wsd"}}})
    check_kind_key(loaded, "schedule.kind", rule);
  if (s.kind == "warm_restarts" && s.restart_period == 0)
    refuse(loaded, culprit(loaded, {"schedule.restart_period", "schedule.kind"}),
           "warm_restarts needs the length of a cycle",
           str("set schedule.restart_period, for example to a quarter of the run: ",
               std::max<int64_t>(1, loaded.config.train.steps / 4) *
                   (s.unit == "tokens" ? tokens_per_step(loaded.config) : 1)));
  bool to_min = s.kind != "constant" && !(s.kind == "exponential" && s.decay_rate > 0);
  if (to_min && s.min_lr > o.lr)
    refuse(loaded, culprit(loaded, {"schedule.min_lr", "optimizer.lr"}),
           str("the rate must fall, got ", other(loaded, "schedule.min_lr"), " above ",
               other(loaded, "optimizer.lr")),
           str("set schedule.min_lr to ", o.lr / 10,
               " for example, or schedule.kind to \"constant\""));
  if (to_min && s.kind == "exponential" && (s.min_lr == 0 || o.lr == 0))
    refuse(loaded, culprit(loaded, {"schedule.min_lr", "optimizer.lr", "schedule.kind"}),
           "an exponential never reaches 0", "set schedule.min_lr above 0, or schedule.decay_rate");
}

}  // namespace

void check_config(const LoadedConfig& loaded, DataRule data) {
  check_name(loaded);
  // With model.init, the architecture is still to be taken over: see adopt_architecture.
  if (loaded.config.model.init.empty()) check_architecture(loaded);
  check_lora(loaded);
  check_data_keys(loaded, data);
  check_batch(loaded);
  check_dropout(loaded);
  check_loss_scale(loaded);
  check_optimizer(loaded);
  check_schedule(loaded);
}

void adopt_recommended(LoadedConfig& loaded) {
  RunConfig recommending;
  recommending.optimizer = recommended(loaded.config.optimizer.kind);
  for (const Key& key : config_keys())
    if (key.section == "optimizer" && !loaded.is_set(key.full_name()))
      std::visit(
          [](auto to, auto from) {
            if constexpr (std::is_same_v<decltype(to), decltype(from)> &&
                          std::is_pointer_v<decltype(to)>)
              *to = *from;
          },
          key.field(loaded.config), key.field(recommending));
}

void resolve(RunConfig& config) {
  auto& m = config.model;
  if (m.kv_heads == 0) m.kv_heads = m.heads;
  if (m.traits().mixers) {
    m.conv_width = m.convolved();
    // One name a layer, as a checkpoint's config.json has them.
    auto layers = static_cast<size_t>(m.layers);
    for (size_t i = 0; m.mixers.size() < layers; ++i) m.mixers.push_back(std::string(m.mixers[i]));
    m.mixers.resize(layers);
  }
  if (m.hidden == 0 && m.traits().activation != Activation::swiglu) m.hidden = 4 * m.width;
  bool no_validation = config.data.validation_files.empty() && config.data.validation_fraction == 0;
  if (no_validation) config.train.eval_every = 0;
  if (config.data.tokenizer.empty()) config.train.sample_every = 0;
}

void adopt_architecture(LoadedConfig& loaded, const ModelConfig& init) {
  RunConfig of_init = loaded.config;
  of_init.model = init;
  of_init.model.dropout = loaded.config.model.dropout;
  of_init.model.attention_dropout = loaded.config.model.attention_dropout;
  of_init.model.embedding_dropout = loaded.config.model.embedding_dropout;
  of_init.model.init = loaded.config.model.init;
  resolve(of_init);
  for (const Key& key : config_keys()) {
    auto name = key.full_name();
    if (key.section != "model" || !loaded.is_set(name)) continue;
    auto mine = key.value(loaded.config), theirs = key.value(of_init);
    Field field = key.field(loaded.config);
    auto number = std::get_if<int64_t*>(&field);
    auto real = std::get_if<double*>(&field);
    bool derived = number && **number == 0;  // "derive it" never contradicts
    bool equal = mine == theirs;
    // Other programs write numbers such as norm_eps as FP32 rounds them.
    if (real) {
      auto value = *std::get<double*>(key.field(of_init));
      equal = std::abs(**real - value) <= 1e-6 * std::abs(value);
    }
    if (name == "model.context") {
      // A model can be trained on shorter sequences than the longest it can read.
      if (loaded.config.model.context > init.context)
        refuse(loaded, name,
               str("the model of model.init reads at most ", init.context, " tokens, got ", mine),
               str("set model.context to ", init.context, " or less, or remove it"));
      if (loaded.config.model.context < init.context && !init.traits().rotary)
        refuse(loaded, name,
               str("the positions of ", init.family, " are learned for ", init.context,
                   " tokens, got ", mine),
               str("set model.context to ", init.context, ", or remove it"));
      of_init.model.context = loaded.config.model.context;
    } else if (!equal && !derived) {
      refuse(loaded, name,
             str("the model of ", other(loaded, "model.init"), " has ", theirs, ", got ", mine),
             str("remove ", name, ", or start from another model"));
    }
  }
  loaded.config.model = of_init.model;
  check_architecture(loaded);
}

}  // namespace anneal
