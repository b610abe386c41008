#include <filesystem>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/data/check.hpp"
#include "anneal/model/adapters.hpp"
#include "anneal/model/language_model.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t largest_model_config = 1 << 24;

// The model directory that model.init means: it may also be a run, or a checkpoint of one.
fs::path init_directory(const LoadedConfig& loaded) {
  fs::path init = loaded.config.model.init;
  if (!fs::exists(init))
    throw UsageError(str("[", loaded.at("model.init"), "] there is no ", init.string(),
                         " (name a Hugging Face model directory, or remove the key to start from "
                         "random weights)"));
  return fs::exists(init / "config.json") ? init : resolve_model_directory(init);
}

// Names of layers are known once the architecture is.
void check_targets(const LoadedConfig& loaded) {
  const RunConfig& c = loaded.config;
  if (c.lora.rank == 0 || c.lora.targets.empty()) return;
  Module module = build_language_model(c.model, {.sequence = 1, .train = false});
  adapter_places(module, c.model, c.lora.targets);
}

void take_over_init(LoadedConfig& loaded) {
  if (loaded.config.model.init.empty()) return;
  auto directory = init_directory(loaded);
  if (holds_adapters(directory))
    throw UsageError(str("[", loaded.at("model.init"), "] ", directory.string(),
                         " holds adapters, not a model (merge them first: anneal model export "
                         "--merge --format hf --model ",
                         directory.string(), " --out DIR)"));
  auto file = directory / "config.json";
  adopt_architecture(loaded,
                     model_config_from_hf(read_file(file, largest_model_config), file.string()));
  check_targets(loaded);
  // A pretrained model understands the tokens of its own tokenizer.
  if (!loaded.is_set("data.tokenizer") && fs::exists(directory / "tokenizer.json"))
    loaded.config.data.tokenizer = directory.string();
}

}  // namespace

std::string with_location(const LoadedConfig& loaded, const std::string& message) {
  auto end = message.find_first_of(":] ");
  if (!message.starts_with("[") || end == std::string::npos) return message;
  auto name = message.substr(1, end - 1);
  const Key* key = find_key(name);
  if (!key) return message;
  return str("[", loaded.at(name), message.substr(end),
             message.ends_with(")") ? "" : str(" (", name, ": ", key->doc, ")"));
}

void check_config_files(LoadedConfig& loaded) {
  try {
    take_over_init(loaded);
    const auto& c = loaded.config;
    if (c.data.train.empty()) {
      loaded.config.data.tokenizer.clear();
      return;
    }
    auto data = check_data(
        c.data,
        {.context = c.model.context, .vocab_size = c.model.vocab_size, .seed = c.train.seed});
    if (data.format == DataSummary::Format::bare_shards && !c.data.tokenizer.empty()) {
      if (loaded.is_set("data.tokenizer"))
        log_info(str("[", loaded.at("data.tokenizer"),
                     "] is not used: bare token shards have no tokenizer, so sampling is off"));
      loaded.config.data.tokenizer.clear();
    }
  } catch (const Error& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
}

}  // namespace anneal
