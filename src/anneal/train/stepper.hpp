#pragma once

#include <functional>
#include <string>

#include "anneal/optim/config.hpp"
#include "anneal/runtime/executable.hpp"
#include "anneal/train/loss_scale.hpp"

namespace anneal {

struct GradientResult {
  double loss = 0;       // sum of the programs' losses over micro-batches
  double correct = 0;    // likewise of output "correct", where there is one
  double grad_norm = 0;  // 2-norm over all parameters, before clipping
  int64_t skipped = 0;   // attempts before this one, whose gradients overflowed (loss scaling)
  bool finite() const;
};

struct StepperOptions {
  double clip = 0;            // longest gradient, by the 2-norm over all parameters; 0: off
  double clip_value = 0;      // largest element of a gradient, in size; 0: off
  double loss_scale = 65536;  // at first, where the programs have one
  int64_t loss_scale_interval = 2000;  // good steps until it doubles
};

// Replays the programs of one training step in the order that accumulation and logical shards ask
// for, whatever the model is.
class Stepper {
 public:
  Stepper(Session& session, OptimizerConfig optimizer, StepperOptions options);

  // Gradients of shards · runs micro-batches: `fill` writes the inputs of micro-batch i before each
  // run. Within a shard they accumulate in order; shards are added in order. Where the programs
  // scale the loss and a gradient overflows, the same again with half the scale, until all are
  // finite or LossScale gives up; the result is of the last attempt, unscaled.
  GradientResult gradients(int64_t shards, int64_t runs,
                           const std::function<void(Executable&, int64_t i)>& fill);

  // Update number step + 1 (`step` counts updates done, from 0) with the gradients at hand, clipped
  // to the global norm: factor min(1, clip/(grad_norm + 1e-6)); then each element to ±clip_value.
  void update(int64_t step, double learning_rate, double grad_norm);

  // The first parameter whose gradient is not finite, in the order of the model; "" if all are.
  std::string first_nonfinite_gradient();
  // The first parameter or moment that holds a number that is not finite; "" if none does.
  std::string first_nonfinite_state() const;

  // Throws Error naming every trainable parameter whose gradient's norm is not above 1e-9 of the
  // global one, unless the model states that it may vanish.
  void audit_gradients(double grad_norm);

  // Null where the programs do not scale the loss.
  LossScale* loss_scale() { return scales_loss_ ? &loss_scale_ : nullptr; }

 private:
  GradientResult attempt(int64_t shards, int64_t runs,
                         const std::function<void(Executable&, int64_t i)>& fill);
  double scale() const { return scales_loss_ ? loss_scale_.value() : 1; }

  Session& session_;
  OptimizerConfig optimizer_;
  StepperOptions options_;
  bool scales_loss_;
  LossScale loss_scale_;
};

// Writes one number to a scalar input, if the program has it.
template <class T>
void set_scalar(Executable& program, std::string_view name, T value) {
  if (program.has_input(name)) program.input(name).as<T>()[0] = value;
}

// Reads an f32 scalar output.
double scalar_output(const Executable& program, std::string_view name);

}  // namespace anneal
