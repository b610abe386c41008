#include "anneal/ir/module.hpp"

#include <cctype>

namespace anneal {

std::string_view name_of(PersistentKind kind) {
  constexpr std::string_view names[] = {"parameter", "gradient", "moment",
                                        "copy",      "cache",    "state"};
  return names[static_cast<int>(kind)];
}

std::string_view name_of(Role role) {
  constexpr std::string_view names[] = {
      "none", "embedding", "position", "matrix",    "residual_matrix",
      "head", "bias",      "gain",     "norm_bias", "filter"};
  return names[static_cast<int>(role)];
}

bool decays(Role role) { return role != Role::bias && role != Role::none && !is_of_norm(role); }

bool is_hidden_matrix(Role role) { return role == Role::matrix || role == Role::residual_matrix; }

bool is_of_norm(Role role) { return role == Role::gain || role == Role::norm_bias; }

int32_t Module::add_persistent(Persistent p) {
  ANNEAL_ASSERT(find(p.name) < 0, "a persistent value named ", p.name, " exists");
  persistents.push_back(std::move(p));
  return static_cast<int32_t>(persistents.size()) - 1;
}

int32_t Module::find(std::string_view name) const {
  for (size_t i = 0; i < persistents.size(); ++i)
    if (persistents[i].name == name) return static_cast<int32_t>(i);
  return -1;
}

int32_t Module::companion(int32_t parameter, PersistentKind kind, std::string_view suffix) const {
  for (size_t i = 0; i < persistents.size(); ++i) {
    const auto& p = persistents[i];
    if (p.of == parameter && p.kind == kind && p.name.ends_with(suffix))
      return static_cast<int32_t>(i);
  }
  return -1;
}

std::vector<int32_t> Module::parameters() const {
  std::vector<int32_t> result;
  for (size_t i = 0; i < persistents.size(); ++i)
    if (persistents[i].kind == PersistentKind::parameter) result.push_back(static_cast<int32_t>(i));
  return result;
}

int64_t Module::parameter_elements() const {
  int64_t n = 0;
  for (int32_t i : parameters()) n += persistent(i).type.shape.elements();
  return n;
}

int64_t Module::trainable_elements() const {
  int64_t n = 0;
  for (int32_t i : parameters())
    if (persistent(i).trainable) n += persistent(i).type.shape.elements();
  return n;
}

std::string layer_of(std::string_view scope) {
  size_t first = scope.find('.');
  if (first == std::string_view::npos) return std::string(scope);
  size_t second = scope.find('.', first + 1);
  std::string_view number = scope.substr(first + 1, second - first - 1);
  bool numbered = !number.empty() && std::isdigit(static_cast<unsigned char>(number[0]));
  return std::string(scope.substr(0, numbered ? second : first));
}

}  // namespace anneal
