#include "anneal/model/adapters.hpp"

#include <algorithm>
#include <set>

namespace anneal {
namespace {

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string_view without(std::string_view name, std::string_view ending) {
  return name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

}  // namespace

std::vector<AdapterPlace> adapter_places(const Module& module, const ModelConfig& config,
                                         const std::vector<std::string>& targets) {
  std::vector<AdapterPlace> places;
  std::set<std::string, std::less<>> known;
  for (const HfTensor& t : hf_tensors(module, config)) {
    const Persistent& weight = module.persistent(t.parameter);
    if (!is_hidden_matrix(weight.role)) continue;
    std::string_view layer = without(t.name, ".weight"), name = last_part(layer);
    known.emplace(name);
    if (!targets.empty() && std::find(targets.begin(), targets.end(), name) == targets.end())
      continue;
    std::string scope(without(weight.name, ".weight"));
    bool whole = t.shape == weight.type.shape;
    if (!whole) scope += str(".", name);
    places.push_back({.weight = t.parameter,
                      .scope = std::move(scope),
                      .first = whole ? 0 : t.first_element / t.shape[1],
                      .features = config.traits().in_out ? t.shape[1] : t.shape[0],
                      .layer = std::string(layer),
                      .interleaving = t.interleaving});
  }
  for (const std::string& target : targets) {
    if (known.contains(target)) continue;
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    throw UsageError(
        str("[lora.targets] this model has no linear layer \"", target, "\" (it has ", names, ")"));
  }
  return places;
}

std::vector<std::string> adapter_targets(const Module& module, const ModelConfig& config) {
  std::set<std::string> names;
  for (const AdapterPlace& place : adapter_places(module, config, {}))
    names.emplace(last_part(place.layer));
  return {names.begin(), names.end()};
}

std::vector<HfTensor> peft_tensors(const Module& module, const ModelConfig& config,
                                   const std::vector<std::string>& targets) {
  std::vector<HfTensor> tensors;
  for (const AdapterPlace& place : adapter_places(module, config, targets))
    for (const char* factor : {"lora_A", "lora_B"}) {
      std::string name = str(place.scope, ".", factor);
      int32_t p = module.find(name);
      ANNEAL_ASSERT(p >= 0, "the model has no parameter ", name);
      tensors.push_back({str("base_model.model.", place.layer, ".", factor, ".weight"), p, 0,
                         module.persistent(p).type.shape});
      if (factor == std::string_view("lora_B")) tensors.back().interleaving = place.interleaving;
    }
  return tensors;
}

}  // namespace anneal
