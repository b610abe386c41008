#include "anneal/train/stepper.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "anneal/device/cpu/parallel.hpp"
#include "anneal/optim/optimizer.hpp"

namespace anneal {
namespace {

bool all_finite(std::span<const float> values) {
  constexpr int64_t grain = 1 << 16;
  constexpr uint32_t exponent = 0x7F80'0000;
  std::atomic<bool> finite{true};
  parallel_ranges(static_cast<int64_t>(values.size()), grain, [&](int64_t begin, int64_t end) {
    bool bad = false;
    for (int64_t i = begin; i < end; ++i)
      bad |= (std::bit_cast<uint32_t>(values[static_cast<size_t>(i)]) & exponent) == exponent;
    if (bad) finite = false;
  });
  return finite;
}

}  // namespace

bool GradientResult::finite() const { return std::isfinite(loss) && std::isfinite(grad_norm); }

double scalar_output(const Executable& program, std::string_view name) {
  return static_cast<double>(program.output(name).as<float>()[0]);
}

Stepper::Stepper(Session& session, OptimizerConfig optimizer, StepperOptions options)
    : session_(session),
      optimizer_(std::move(optimizer)),
      options_(options),
      scales_loss_(session.has_program("step.first") &&
                   session.program("step.first").has_input("loss_scale")),
      loss_scale_(options.loss_scale, options.loss_scale_interval) {}

GradientResult Stepper::gradients(int64_t shards, int64_t runs,
                                  const std::function<void(Executable&, int64_t)>& fill) {
  GradientResult result = attempt(shards, runs, fill);
  int64_t skipped = 0;
  while (scales_loss_ && !result.finite() && loss_scale_.overflowed()) {
    ++skipped;
    result = attempt(shards, runs, fill);
  }
  result.skipped = skipped;
  return result;
}

GradientResult Stepper::attempt(int64_t shards, int64_t runs,
                                const std::function<void(Executable&, int64_t)>& fill) {
  GradientResult result;
  for (int64_t shard = 0; shard < shards; ++shard) {
    for (int64_t run = 0; run < runs; ++run) {
      Executable& program = session_.program(run == 0 ? "step.first" : "step.next");
      fill(program, shard * runs + run);
      set_scalar(program, "loss_scale", static_cast<float>(scale()));
      program.run();
      result.loss += scalar_output(program, "loss");
      if (program.has_output("correct")) result.correct += scalar_output(program, "correct");
    }
    if (shards > 1) session_.program(shard == 0 ? "combine.first" : "combine.next").run();
  }
  Executable& reduce = session_.program("reduce");
  reduce.run();
  result.grad_norm = scalar_output(reduce, "grad_norm") / scale();
  return result;
}

void Stepper::update(int64_t step, double lr, double grad_norm) {
  Executable& apply = session_.program("apply");
  double clip = options_.clip;
  double factor = clip > 0 ? std::min(1.0, clip / (grad_norm + 1e-6)) : 1.0;
  set_scalar(apply, "clip_factor", static_cast<float>(factor / scale()));
  set_scalar(apply, "clip_value", static_cast<float>(options_.clip_value));
  for (const NamedScalar& s : optimizer_of(optimizer_).scalars(optimizer_, step + 1, lr))
    set_scalar(apply, s.name, static_cast<float>(s.value));
  apply.run();
  if (scales_loss_) loss_scale_.succeeded();
}

std::string Stepper::first_nonfinite_gradient() {
  for (const auto& [name, tensor] : session_.program("reduce").outputs())
    if (name.starts_with("norm2.") && !std::isfinite(tensor.as<double>()[0])) return name.substr(6);
  return "";
}

std::string Stepper::first_nonfinite_state() const {
  const auto& persistents = session_.module().persistents;
  for (size_t i = 0; i < persistents.size(); ++i) {
    const Persistent& p = persistents[i];
    bool kept = p.kind == PersistentKind::parameter || p.kind == PersistentKind::moment;
    if (!kept || p.type.dtype != DType::f32) continue;
    if (!all_finite(session_.persistent(static_cast<int32_t>(i)).as<float>())) return p.name;
  }
  return "";
}

void Stepper::audit_gradients(double grad_norm) {
  constexpr double noise = 1e-5 * 1e-4;
  const Module& module = session_.module();
  std::string silent;
  for (const auto& [name, tensor] : session_.program("reduce").outputs()) {
    if (!name.starts_with("norm2.")) continue;
    double norm = std::sqrt(tensor.as<double>()[0]) / scale();
    std::string parameter = name.substr(6);
    if (norm > noise * grad_norm || module.persistent(module.find(parameter)).gradient_may_vanish)
      continue;
    silent += str(silent.empty() ? "" : ", ", parameter, " (", norm, ")");
  }
  if (silent.empty()) return;
  throw Error(str("[step 0 audit] these trainable parameters receive no gradient: ", silent,
                  "; the norm of all gradients is ", grad_norm,
                  ". Something cuts their gradient or masks all that depends on them; training "
                  "would leave them as they are"));
}

}  // namespace anneal
