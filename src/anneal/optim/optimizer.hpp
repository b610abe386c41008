#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "anneal/ir/builder.hpp"
#include "anneal/optim/config.hpp"

namespace anneal {

// What an optimizer's rule sees of one parameter while it writes the update program.
class UpdateBuilder {
 public:
  // `gradient` is clipped already.
  UpdateBuilder(Builder& b, int32_t parameter, Value gradient)
      : b_(b), parameter_(parameter), gradient_(gradient) {}

  Builder& builder() { return b_; }
  Value parameter() { return b_.persistent(parameter_); }
  Value gradient() const { return gradient_; }
  Role role() const { return b_.module().persistent(parameter_).role; }
  // A number that changes from step to step; the optimizer's scalars() gives its value.
  Value scalar(const std::string& name);
  // A moment of the parameter's shape, zero at first.
  Value moment(const std::string& name);
  void store_moment(const std::string& name, Value value);

 private:
  int32_t moment_index(const std::string& name);
  Builder& b_;
  int32_t parameter_;
  Value gradient_;
};

struct NamedScalar {
  std::string_view name;
  double value = 0;
};

// A few of them, without memory of its own: a training step asks for them and must not allocate.
class NamedScalars {
 public:
  NamedScalars(std::initializer_list<NamedScalar> list) : size_(list.size()) {
    ANNEAL_ASSERT(list.size() <= scalars_.size(), "an optimizer with ", list.size(), " scalars");
    std::copy(list.begin(), list.end(), scalars_.begin());
  }
  void add(NamedScalar scalar) {
    ANNEAL_ASSERT(size_ < scalars_.size(), "an optimizer with too many scalars");
    scalars_[size_++] = scalar;
  }
  const NamedScalar* begin() const { return scalars_.data(); }
  const NamedScalar* end() const { return scalars_.data() + size_; }

 private:
  std::array<NamedScalar, 8> scalars_{};
  size_t size_ = 0;
};

// An optimizer: nodes that compute the new value of a parameter, and the scalars that those nodes
// read at update `t` (from 1) with learning rate `lr`, computed in FP64.
struct Optimizer {
  std::string_view kind;
  Value (*update)(UpdateBuilder&, const OptimizerConfig&);
  NamedScalars (*scalars)(const OptimizerConfig&, int64_t t, double lr);
  // The numbers that its paper recommends where they are not those of every optimizer.
  void (*recommend)(OptimizerConfig&) = [](OptimizerConfig&) {};
};

std::span<const Optimizer* const> all_optimizers();
// Throws UsageError naming optimizer.kind where there is none of that name.
const Optimizer& find_optimizer(const std::string& kind);
// The config's own rule, or else that of its kind.
const Optimizer& optimizer_of(const OptimizerConfig& config);

// A config of this kind with the numbers that its paper recommends.
OptimizerConfig recommended(const std::string& kind);

// Parts that several rules are made of.

// The gradient with L2 regularisation: g + λ·p where the parameter's role decays.
Value l2_regularised(UpdateBuilder& u, const OptimizerConfig& c);
// The parameter after decoupled decay: p·decay_factor, a scalar that the optimizer gives, where the
// parameter's role decays.
Value decayed(UpdateBuilder& u, const OptimizerConfig& c);
// The decaying mean kept in moment `name`: stores and returns decay·moment + share·x.
Value decaying_mean(UpdateBuilder& u, const std::string& name, Value x, double decay, double share);

}  // namespace anneal
