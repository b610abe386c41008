#include "anneal/cli/schema.hpp"

#include "anneal/cli/schema_fields.hpp"

namespace anneal {
namespace {

constexpr Section sections[] = {
    {"", "Above all sections."},
    {"model", "The network."},
    {"lora", "Low-rank adapters, trained in place of the weights."},
    {"data", "What it is trained on. Paths are relative to the working directory."},
    {"train", "The loop."},
    {"optimizer", "The update rule."},
    {"schedule", "The learning rate over the steps."},
    {"parallel", "How the work is divided."},
    {"checkpoint", "What is saved, and when."},
    {"monitor", "What is reported, and when."},
};

const std::vector<Key>& keys() {
  static const std::vector<Key> list = [] {
    std::vector<Key> all = {
        {.section = "",
         .name = "name",
         .field = schema::top<&RunConfig::name>,
         .doc = "name of the run; its folder is runs/NAME",
         .unit = ""},
    };
    for (const auto& part : {model_keys(), training_keys()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return list;
}

}  // namespace

std::span<const Section> config_sections() { return sections; }
std::span<const Key> config_keys() { return keys(); }

}  // namespace anneal
