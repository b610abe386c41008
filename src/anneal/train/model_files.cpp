#include "anneal/train/model_files.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "anneal/base/hash.hpp"
#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/model/hf_names.hpp"

namespace anneal {
namespace {

bool belongs_to_state(const Persistent& p) {
  return p.kind == PersistentKind::moment || p.kind == PersistentKind::state;
}

HfTokenIds token_ids(const Tokenizer* tokenizer) {
  HfTokenIds ids;
  if (!tokenizer) return ids;
  if (auto end = tokenizer->end_of_text()) {
    ids.bos = *end;
    ids.eos = {*end};
  }
  return ids;
}

// Every tensor of the file must be wanted, and every wanted one be there.
template <class Tensors>
void expect_same_names(const SafetensorsFile& file, const Tensors& wanted) {
  for (const auto& entry : file.entries()) {
    bool known = std::any_of(wanted.begin(), wanted.end(),
                             [&](const auto& t) { return t.name == entry.name; });
    if (!known)
      throw FormatError(
          str("[", file.where(), "] has a tensor ", entry.name, " that this model does not have"));
  }
}

}  // namespace

std::vector<TensorView> model_tensors(const Session& session, const ModelConfig& config) {
  std::vector<TensorView> views;
  for (const HfTensor& t : hf_tensors(session.module(), config)) {
    TensorRef parameter = session.persistent(t.parameter);
    views.push_back({t.name, parameter.type.dtype, t.shape,
                     parameter.data + t.first_element * size_of(parameter.type.dtype),
                     t.interleaving});
  }
  return views;
}

std::vector<TensorView> state_tensors(const Session& session) {
  std::vector<TensorView> views;
  const auto& persistents = session.module().persistents;
  for (size_t i = 0; i < persistents.size(); ++i) {
    if (!belongs_to_state(persistents[i])) continue;
    TensorRef t = session.persistent(static_cast<int32_t>(i));
    views.push_back({persistents[i].name, t.type.dtype, t.type.shape, t.data});
  }
  return views;
}

void load_model_tensors(Session& session, const ModelConfig& config, const ModelWeights& weights) {
  auto tensors = hf_tensors(session.module(), config);
  weights.expect(tensors, config);
  for (const HfTensor& t : tensors) {
    TensorRef parameter = session.persistent(t.parameter);
    weights.read_into(t, parameter.type.dtype, parameter.data);
  }
  session.refresh();
}

std::vector<TensorView> adapter_tensors(const Session& session, const ModelConfig& config,
                                        const LoraConfig& lora) {
  std::vector<TensorView> views;
  for (const HfTensor& t : peft_tensors(session.module(), config, lora.targets)) {
    TensorRef parameter = session.persistent(t.parameter);
    views.push_back({t.name, parameter.type.dtype, t.shape, parameter.data, t.interleaving});
  }
  return views;
}

void load_adapter_tensors(Session& session, const ModelConfig& config, const LoraConfig& lora,
                          const SafetensorsFile& file) {
  auto tensors = peft_tensors(session.module(), config, lora.targets);
  expect_same_names(file, tensors);
  for (const HfTensor& t : tensors) {
    file.expect_shape(t.name, t.shape);
    TensorRef parameter = session.persistent(t.parameter);
    read_into(file, t.name, t, parameter.type.dtype, parameter.data);
  }
  session.refresh();
}

void merge_adapters(Session& session, const ModelConfig& config, const LoraConfig& lora) {
  const Module& module = session.module();
  for (const AdapterPlace& place : adapter_places(module, config, lora.targets)) {
    auto down = session.persistent(place.scope + ".lora_A").as<float>();  // [rank, in]
    auto up = session.persistent(place.scope + ".lora_B").as<float>();    // [features, rank]
    auto weight = session.persistent(place.weight).as<float>();
    int64_t in = std::ssize(down) / lora.rank;
    // Where element (feature, input) of the adapted part lies.
    bool in_out = config.traits().in_out;
    int64_t feature_step = in_out ? 1 : in, input_step = in_out ? place.features : 1;
    int64_t first = in_out ? place.first : place.first * in;
    parallel_ranges(place.features, 16, [&](int64_t begin, int64_t end) {
      std::vector<double> sums(static_cast<size_t>(in));
      for (int64_t f = begin; f < end; ++f) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (int64_t r = 0; r < lora.rank; ++r) {
          double b = lora.scale() * static_cast<double>(up[static_cast<size_t>(f * lora.rank + r)]);
          const float* a = down.data() + r * in;
          for (int64_t i = 0; i < in; ++i)
            sums[static_cast<size_t>(i)] += b * static_cast<double>(a[i]);
        }
        for (int64_t i = 0; i < in; ++i) {
          float& w = weight[static_cast<size_t>(first + f * feature_step + i * input_step)];
          w = static_cast<float>(static_cast<double>(w) + sums[static_cast<size_t>(i)]);
        }
      }
    });
    std::fill(up.begin(), up.end(), 0.0f);
  }
  session.refresh();
}

void load_state_tensors(Session& session, const SafetensorsFile& file) {
  auto views = state_tensors(session);
  expect_same_names(file, views);
  for (const TensorView& view : views) {
    file.expect_shape(view.name, view.shape);
    file.read(view.name, view.dtype, session.persistent(view.name).data);
  }
}

// Before memory is taken for what adapter_config.json says alone.
void check_adapter_ranks(const ModelDirectory& directory) {
  SafetensorsFile file(directory.path / adapter_file_name);
  int64_t rank = directory.adapter->lora.rank;
  for (const auto& entry : file.entries())
    if (entry.name.ends_with(".lora_A.weight") && (entry.shape.empty() || entry.shape[0] != rank))
      throw FormatError(str("[", file.where(), "] ", entry.name,
                            " has another rank than r = ", rank, " of ", adapter_config_name));
}

ModelDirectory open_model_directory(const std::filesystem::path& path) {
  ModelDirectory result;
  result.path = result.base = resolve_model_directory(path);
  CheckpointReader own(result.path);
  if (holds_adapters(result.path)) {
    auto file = result.path / adapter_config_name;
    result.adapter = parse_adapter_config(own.text(adapter_config_name), file.string());
    if (!std::filesystem::is_directory(result.adapter->base))
      throw UsageError(str("[", file.string(), "] base_model_name_or_path: there is no folder ",
                           result.adapter->base,
                           " (name the directory of the model that the adapters were made for)"));
    check_adapter_ranks(result);
    result.base = resolve_model_directory(result.adapter->base);
    if (holds_adapters(result.base))
      throw UsageError(str("[", file.string(), "] base_model_name_or_path: ", result.base.string(),
                           " holds adapters itself (merge them first, with `anneal model export "
                           "--merge`)"));
  }
  // What a folder of adapters lacks is as the base has it.
  CheckpointReader base(result.base);
  auto reader_of = [&](const char* name) -> const CheckpointReader& {
    return own.has(name) ? own : base;
  };
  // Adapters change nothing of what the model is, whatever config.json lies beside them.
  const CheckpointReader& model = base;
  std::string where = (model.dir() / "config.json").string();
  std::string config = model.text("config.json");
  result.config = model_config_from_hf(config, where);
  HfTokenIds ids = token_ids_from_hf(config, where);
  constexpr auto generation_name = "generation_config.json";
  if (const auto& reader = reader_of(generation_name); reader.has(generation_name)) {
    auto generation =
        token_ids_from_hf(reader.text(generation_name), (reader.dir() / generation_name).string());
    if (!generation.eos.empty()) ids.eos = generation.eos;
  }
  result.tokens = reader_of("tokenizer.json").dir();
  if (const auto& reader = reader_of("tokenizer.json"); reader.has("tokenizer.json")) {
    result.tokenizer =
        std::make_shared<Tokenizer>(Tokenizer::load(reader.dir() / "tokenizer.json"));
    if (result.tokenizer->vocab_size() > result.config.vocab_size)
      throw FormatError(str("[", result.path.string(), "] the tokenizer has ",
                            result.tokenizer->vocab_size(), " tokens, the model only ",
                            result.config.vocab_size));
    if (ids.eos.empty() && result.tokenizer->end_of_text())
      ids.eos.push_back(*result.tokenizer->end_of_text());
  }
  result.end_ids = ids.eos;
  return result;
}

std::vector<std::pair<std::string, std::string>> model_directory_files(
    const ModelConfig& config, const Tokenizer* tokenizer, const ModelDirectory* origin) {
  HfTokenIds ids = token_ids(tokenizer);
  // Tuning on short texts does not take from a model that it reads long ones.
  ModelConfig written = config;
  if (origin && config.traits().rotary)
    written.context = std::max(config.context, origin->config.context);
  std::vector<std::pair<std::string, std::string>> files;
  auto put = [&](const std::string& name, const std::string& text) {
    bool there = std::any_of(files.begin(), files.end(),
                             [&](const auto& file) { return file.first == name; });
    if (!there) files.emplace_back(name, text);
  };
  bool same_tokens =
      origin && tokenizer && origin->tokenizer && origin->tokenizer->hash() == tokenizer->hash();
  if (same_tokens) {
    CheckpointReader reader(origin->path), base(origin->base);
    std::string where = (base.dir() / "config.json").string();
    ids = token_ids_from_hf(base.text("config.json"), where);
    ids.eos = origin->end_ids;
    for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json",
                             "special_tokens_map.json", "chat_template.jinja"})
      for (const CheckpointReader* from : {&reader, &base})
        if (from->has(name)) put(name, from->text(name));
  }
  put("config.json", hf_config_json(written, ids));
  put("generation_config.json", generation_config_json(ids));
  if (tokenizer) {
    auto end = tokenizer->end_of_text();
    put("tokenizer.json", tokenizer->to_json());
    put("tokenizer_config.json",
        tokenizer_config_json(end ? tokenizer->token_bytes(*end) : "", written.context));
  }
  return files;
}

std::string checksum_of_weights(const std::filesystem::path& directory) {
  ContentHash hash;
  ModelWeights weights(directory);
  for (const auto& file : weights.files()) {
    MappedFile bytes(file->where());
    hash.update(bytes.bytes().data(), bytes.bytes().size());
  }
  return hash.hex();
}

std::vector<int64_t> end_ids_of(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory / "config.json")) return {};
  return open_model_directory(directory).end_ids;
}

DataRequirements data_requirements(const RunConfig& config) {
  DataRequirements need{.context = config.model.context,
                        .vocab_size = config.model.vocab_size,
                        .seed = config.train.seed};
  if (!config.model.init.empty()) need.end_ids = open_model_directory(config.model.init).end_ids;
  return need;
}

std::string run_state_json(const RunState& state) {
  nlohmann::ordered_json json = {{"format", 1},
                                 {"step", state.step},
                                 {"tokens", state.tokens},
                                 {"data_tokens", state.data_tokens},
                                 {"data_checksum", state.data_checksum},
                                 {"base_checksum", state.base_checksum},
                                 {"instruction_set", state.instruction_set},
                                 {"library", state.library}};
  if (state.loss_scale)
    json["loss_scale"] = {{"scale", state.loss_scale->scale},
                          {"good_steps", state.loss_scale->good_steps}};
  return json.dump(2) + "\n";
}

RunState parse_run_state(std::string_view text, const std::string& where) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  auto number = [&](const char* key) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_integer() ||
        json[key].get<int64_t>() < 0)
      throw FormatError(str("[", where, "] ", key, " is not a number ≥ 0"));
    return json[key].get<int64_t>();
  };
  RunState state;
  if (number("format") != 1)
    throw FormatError(str("[", where, "] was written in a format that this version cannot read"));
  state.step = number("step");
  state.tokens = number("tokens");
  if (json.contains("data_tokens")) state.data_tokens = number("data_tokens");
  auto text_of = [&](const char* key) -> std::string {
    if (!json.contains(key) || !json[key].is_string()) return "";
    return json[key].get<std::string>();
  };
  state.data_checksum = text_of("data_checksum");
  state.base_checksum = text_of("base_checksum");
  state.instruction_set = text_of("instruction_set");
  state.library = text_of("library");
  if (json.contains("loss_scale")) {
    const auto& scale = json["loss_scale"];
    bool valid = scale.is_object() && scale.contains("scale") && scale["scale"].is_number() &&
                 scale["scale"].get<double>() >= LossScale::smallest &&
                 scale["scale"].get<double>() <= LossScale::largest &&
                 scale.contains("good_steps") && scale["good_steps"].is_number_integer() &&
                 scale["good_steps"].get<int64_t>() >= 0;
    if (!valid)
      throw FormatError(str("[", where, "] loss_scale is not a scale ≥ 1 and good_steps ≥ 0"));
    state.loss_scale = {scale["scale"].get<double>(), scale["good_steps"].get<int64_t>()};
  }
  return state;
}

}  // namespace anneal
