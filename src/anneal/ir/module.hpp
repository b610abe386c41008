#pragma once

#include <map>
#include <string>
#include <vector>

#include "anneal/ir/program.hpp"

namespace anneal {

enum class PersistentKind : uint8_t { parameter, gradient, moment, copy, cache, state };
std::string_view name_of(PersistentKind kind);

// What a parameter is to the model; initialisation, weight decay and optimizers go by it.
enum class Role : uint8_t {
  none,
  embedding,
  position,
  matrix,
  residual_matrix,
  head,
  bias,
  gain,
  norm_bias,
  filter,  // of a convolution of each column by itself
};
std::string_view name_of(Role role);
// Weight decay applies to parameters with two or more dimensions, never to biases and gains.
bool decays(Role role);
// A matrix inside a block: rotations of the residual stream, not tables of vectors.
bool is_hidden_matrix(Role role);
// Belongs to a normalisation.
bool is_of_norm(Role role);

struct Init {
  enum class Kind : uint8_t { zeros, ones, normal, uniform } kind = Kind::zeros;
  double scale = 0;  // standard deviation; of uniform, the largest size
  bool operator==(const Init&) const = default;
};

// A value that outlives programs: it has one place in the arena for the whole run.
struct Persistent {
  std::string name;  // h.3.attn.qkv.weight
  TensorType type{};
  PersistentKind kind = PersistentKind::parameter;
  Role role = Role::none;
  Init init{};
  bool trainable = true;
  int32_t of = -1;  // the parameter that this gradient, moment, copy or adapter belongs to
  // The model states that this parameter's gradient may vanish (a key bias under softmax).
  bool gradient_may_vanish = false;
};

// Named programs over one table of persistent values.
class Module {
 public:
  std::vector<Persistent> persistents;
  std::map<std::string, Program> programs;

  int32_t add_persistent(Persistent p);
  int32_t find(std::string_view name) const;  // -1: there is none
  const Persistent& persistent(int32_t index) const {
    return persistents.at(static_cast<size_t>(index));
  }
  // The persistent of this kind that belongs to the parameter (-1: there is none).
  int32_t companion(int32_t parameter, PersistentKind kind, std::string_view suffix = "") const;
  std::vector<int32_t> parameters() const;
  int64_t parameter_elements() const;
  int64_t trainable_elements() const;
};

// The part of a scope that names a layer: "h.3" of "h.3.attn.qkv", else its first component.
std::string layer_of(std::string_view scope);

}  // namespace anneal
