#include "anneal/checkpoint/model_weights.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/checkpoint/manifest.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

constexpr int64_t max_index_bytes = 100 << 20;
constexpr int max_index_depth = 64;

std::string_view without_base(std::string_view name) {
  for (std::string_view base : {"transformer.", "model.", "gpt_neox."})
    if (name.starts_with(base)) return name.substr(base.size());
  return name;
}

// Buffers that transformers once saved along with the weights, and copies of a tied head.
bool holds_nothing_new(std::string_view name, const ModelConfig& config) {
  if (name == "lm_head.weight" || name == "embed_out.weight") return config.tie_embeddings;
  auto ends_with_any = [&](std::initializer_list<std::string_view> ends) {
    return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
  };
  switch (config.traits().naming) {
    case Naming::gpt2:
      return ends_with_any({".attn.bias", ".attn.masked_bias"});
    case Naming::gpt_neox:
      return ends_with_any({".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"});
    case Naming::based:
      return ends_with_any({".rotary_emb.inv_freq", "metrics.num-tokens.count"});
    case Naming::llama:
      return ends_with_any({".rotary_emb.inv_freq"});
  }
  return false;
}

}  // namespace

std::vector<std::string> files_of_weight_index(std::string_view text, const std::string& where) {
  Json json;
  try {
    json = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      if (depth > max_index_depth) throw FormatError(str("[", where, "] is nested too deeply"));
      return true;
    });
  } catch (const Json::exception& e) {
    throw FormatError(str("[", where, "] is not valid JSON: ", e.what()));
  }
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object() ||
      json["weight_map"].empty())
    throw FormatError(str("[", where, "] weight_map: expected an object of tensors and files"));
  std::set<std::string> names;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string())
      throw FormatError(
          str("[", where, "] weight_map: expected the name of a file for ", quoted_name(tensor)));
    auto name = file.get<std::string>();
    if (!is_name_inside(name) || name.find('/') != std::string::npos ||
        !name.ends_with(".safetensors"))
      throw FormatError(str("[", where, "] weight_map: ", quoted_name(name),
                            " is not the name of a .safetensors file beside it"));
    names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

void read_into(const SafetensorsFile& file, std::string_view name, const HfTensor& tensor,
               DType dtype, std::byte* parameter) {
  tensor.interleaving.for_runs(
      tensor.shape.elements(), [&](int64_t in_file, int64_t here, int64_t count) {
        file.read_part(name, dtype, in_file, count,
                       parameter + (tensor.first_element + here) * size_of(dtype));
      });
}

ModelWeights::ModelWeights(const std::filesystem::path& dir) {
  auto single = dir / model_file_name, index = dir / weight_index_name;
  bool sharded = !std::filesystem::exists(single) && std::filesystem::exists(index);
  where_ = (sharded ? index : single).string();
  if (!sharded) {
    files_.push_back(std::make_unique<SafetensorsFile>(single));
    return;
  }
  for (const auto& name : files_of_weight_index(read_file(index, max_index_bytes), where_))
    files_.push_back(std::make_unique<SafetensorsFile>(dir / name));
  std::set<std::string_view> names;
  for (const auto& file : files_)
    for (const auto& entry : file->entries())
      if (!names.insert(entry.name).second)
        throw FormatError(str("[", file->where(), "] has a tensor ", quoted_name(entry.name),
                              " that another file of the model has too"));
}

ModelWeights::Tensor ModelWeights::find(std::string_view name) const {
  for (std::string_view wanted : {name, without_base(name)})
    for (const auto& file : files_)
      if (auto entry = file->find(wanted)) return {file.get(), entry};
  return {};
}

void ModelWeights::expect(const std::vector<HfTensor>& wanted, const ModelConfig& config) const {
  std::set<const SafetensorsEntry*> used;
  for (const auto& tensor : wanted) {
    auto found = find(tensor.name);
    if (!found.entry) {
      if (files_.size() == 1) files_[0]->entry(tensor.name);  // names the nearest one
      throw FormatError(str("[", where_, "] no file has a tensor ", tensor.name));
    }
    found.file->expect_shape(found.entry->name, tensor.shape);
    used.insert(found.entry);
  }
  for (const auto& file : files_)
    for (const auto& entry : file->entries())
      if (!used.contains(&entry) && !holds_nothing_new(entry.name, config))
        throw FormatError(str("[", file->where(), "] has a tensor ", quoted_name(entry.name),
                              " that this model does not have"));
}

void ModelWeights::read_as_f32(std::string_view name, float* out) const {
  auto found = find(name);
  ANNEAL_ASSERT(found.entry, "expect() was not asked for ", name);
  found.file->read_as_f32(found.entry->name, out);
}

void ModelWeights::read_into(const HfTensor& tensor, DType dtype, std::byte* parameter) const {
  auto found = find(tensor.name);
  ANNEAL_ASSERT(found.entry, "expect() was not asked for ", tensor.name);
  anneal::read_into(*found.file, found.entry->name, tensor, dtype, parameter);
}

}  // namespace anneal
