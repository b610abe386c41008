#include "anneal/checkpoint/model_summary.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/adapter_config.hpp"
#include "anneal/checkpoint/gguf.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/checkpoint/model_weights.hpp"
#include "anneal/checkpoint/resume.hpp"

namespace anneal {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void add_tensors(const SafetensorsFile& file, ModelSummary& summary) {
  for (const auto& entry : file.entries())
    summary.tensors.push_back(
        {entry.name, lower(entry.dtype), entry.shape, entry.end - entry.begin});
}

// Takes the config over, or the reason why there is none.
template <class Read>
void read_config(ModelSummary& summary, Read read) {
  try {
    summary.config = read();
  } catch (const Error& e) {
    summary.unsupported = e.what();
  }
}

// Damaged JSON counts as empty here.
Json parsed(const std::string& text) {
  auto limit = [](int depth, Json::parse_event_t, Json&) { return depth < 64; };
  auto json = Json::parse(text, limit, false);
  return json.is_object() ? json : Json::object();
}

std::string text_at(const Json& json, const char* key) {
  auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

std::string tokenizer_of(const Json& json) {
  auto model = json.find("model");
  if (model == json.end() || !model->is_object()) return "tokenizer.json of an unknown kind";
  auto kind = text_at(*model, "type");
  auto vocab = model->find("vocab");
  size_t tokens = vocab == model->end() ? 0 : vocab->size();
  auto fallback = model->find("byte_fallback");
  bool falls_back = fallback != model->end() && *fallback == true;
  return str(kind.empty() ? "model" : kind, falls_back ? " with byte fallback" : "", ", ", tokens,
             " tokens");
}

ModelSummary of_directory(const fs::path& path) {
  CheckpointReader reader(resolve_model_directory(path));
  ModelSummary summary{.format = "Hugging Face directory"};
  if (reader.has("config.json")) {
    auto config = reader.text("config.json");
    summary.architecture = text_at(parsed(config), "model_type");
    read_config(summary, [&] {
      return model_config_from_hf(config, (reader.dir() / "config.json").string());
    });
  }
  if (holds_adapters(reader.dir())) {
    summary.format = "PEFT adapters";
    try {
      auto where = (reader.dir() / adapter_config_name).string();
      auto adapter = parse_adapter_config(reader.text(adapter_config_name), where);
      std::string layers;
      for (const auto& target : adapter.lora.targets)
        layers += (layers.empty() ? "" : ", ") + target;
      summary.adapters = str("rank ", adapter.lora.rank, ", alpha ", adapter.lora.alpha, ", of ",
                             layers, ", for ", adapter.base);
    } catch (const Error& e) {
      summary.unsupported = e.what();
    }
    add_tensors(SafetensorsFile(reader.dir() / adapter_file_name), summary);
  } else {
    ModelWeights weights(reader.dir());
    for (const auto& file : weights.files()) add_tensors(*file, summary);
  }
  if (reader.has("tokenizer.json"))
    summary.tokenizer = tokenizer_of(parsed(reader.text("tokenizer.json")));
  if (reader.has("tokenizer_config.json"))
    summary.chat_template = text_at(parsed(reader.text("tokenizer_config.json")), "chat_template");
  if (summary.chat_template.empty() && reader.has("chat_template.jinja"))
    summary.chat_template = reader.text("chat_template.jinja");
  return summary;
}

ModelSummary of_gguf(const fs::path& path) {
  GgufFile file(path);
  ModelSummary summary{.format = str("GGUF ", file.version())};
  summary.architecture = file.text("general.architecture").value_or("");
  read_config(summary, [&] { return model_config_from_gguf(file); });
  for (const auto& entry : file.entries()) {
    std::vector<int64_t> shape;
    for (int i = 0; i < entry.shape.rank(); ++i) shape.push_back(entry.shape[i]);
    const GgufTypeInfo* type = gguf_type_info(entry.type);
    summary.tensors.push_back(
        {entry.name, std::string(type->name), shape, static_cast<int64_t>(entry.bytes)});
    if (!type->readable && summary.unsupported.empty())
      summary.unsupported = str("tensors of type ", type->name, " are not read");
  }
  if (auto kind = file.text("tokenizer.ggml.model")) {
    auto tokens = file.texts("tokenizer.ggml.tokens");
    auto pre = file.text("tokenizer.ggml.pre");
    summary.tokenizer =
        str(*kind, pre ? " (" + *pre + ")" : "", ", ", tokens ? tokens->size() : 0, " tokens");
  }
  summary.chat_template = file.text("tokenizer.chat_template").value_or("");
  return summary;
}

bool begins_as_gguf(const fs::path& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return std::string_view(magic, sizeof magic) == "GGUF";
}

}  // namespace

int64_t ModelSummary::parameters() const {
  double total = 0;
  for (const auto& tensor : tensors) {
    double elements = 1;
    for (int64_t dim : tensor.shape) elements *= static_cast<double>(dim);
    total += elements;
  }
  return static_cast<int64_t>(std::min(total, 0x1p62));
}

int64_t ModelSummary::bytes() const {
  int64_t total = 0;
  for (const auto& tensor : tensors) total += tensor.bytes;
  return total;
}

ModelSummary summarise_model(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    throw UsageError(str("[", path.string(),
                         "] is not there (expected a model directory, a run's "
                         "folder, a safetensors or GGUF file)"));
  if (fs::is_directory(path, ignored)) return of_directory(path);
  if (begins_as_gguf(path)) return of_gguf(path);
  ModelSummary summary{.format = "safetensors"};
  add_tensors(SafetensorsFile(path), summary);
  return summary;
}

}  // namespace anneal
