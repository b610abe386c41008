#include "anneal/train/fusion_bench.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/head_loss/head_loss.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/norm/layernorm.hpp"
#include "anneal/ops/reduce/sum_to.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/signals.hpp"
#include "anneal/train/stepper.hpp"

namespace anneal {
namespace {

constexpr int64_t width = 1024;       // of rows
constexpr int64_t vocabulary = 8192;  // of the cross-entropy

// A chain: its program, or for an optimizer its module, and which program and results to compare.
struct Chain {
  std::string name;
  std::string program;
  PassOptions options{};
  std::function<Module(int64_t elements, bool fused)> build;
  std::function<void(Executable&, int64_t elements)> fill = {};
};

void fill_random(std::span<float> values, uint64_t key) {
  parallel_ranges(static_cast<int64_t>(values.size()), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      values[static_cast<size_t>(i)] =
          uniform_float(philox(key, static_cast<uint64_t>(i), 0)[0]) - 0.5f;
  });
}

Module relu_of_sum(int64_t n, bool) {
  Module module;
  Builder b(module.programs["chain"], &module);
  Value x = b.input("x", DType::f32, {n}), w = b.input("w", DType::f32, {n});
  b.output("y", relu(b, add(b, x, w)));
  return module;
}

Module gelu_of_bias(int64_t n, bool) {
  Module module;
  Builder b(module.programs["chain"], &module);
  Value x = b.input("x", DType::f32, {n / width, width});
  b.output("y", gelu(b, add(b, x, b.input("bias", DType::f32, {width}))));
  return module;
}

Module norm_of_residual(int64_t n, bool) {
  Module module;
  Builder b(module.programs["chain"], &module);
  Shape rows{n / width, width};
  Value stream = add(b, b.input("x", DType::f32, rows), b.input("w", DType::f32, rows));
  Value gain = b.input("weight", DType::f32, {width}), bias = b.input("bias", DType::f32, {width});
  b.output("y", layernorm(b, stream, gain, bias));
  b.output("stream", stream);
  return module;
}

int64_t target_of(int64_t row) { return row * 7919 % vocabulary; }

// Loss and its gradients of a head: x [rows, C], weight [V, C]. Separate: logits, their
// exponentials, probabilities and gradient exist one after the other, targets as one-hot rows.
Module cross_entropy(int64_t n, bool fused) {
  constexpr int64_t c = 64;
  int64_t rows = n / vocabulary;
  auto inverse = 1 / static_cast<double>(rows);
  Module module;
  Builder b(module.programs["chain"], &module);
  Value x = b.input("x", DType::f32, {rows, c});
  Value weight = b.input("weight", DType::f32, {vocabulary, c});
  if (fused) {
    Value targets = b.input("targets", DType::i32, {rows});
    Value inv_valid = b.input("inv_valid", DType::f32, {});
    Value seed = b.input("seed", DType::f32, {});
    auto out = b.emit(head_loss_grad_op(), {x, weight, targets, inv_valid, seed},
                      Attrs::of(HeadLossAttrs{}));
    b.output("dweight", out[3]);
    b.output("dx", out[2]);
    return module;
  }
  Value one_hot = b.input("one_hot", DType::f32, {rows, vocabulary});
  Value logits = matmul(b, x, weight, false, true);
  Value exponentials = apply(b, Ew::exp, logits);
  Value probabilities = div(b, exponentials, sum_to(b, exponentials, {rows, 1}));
  Value dlogits = scale(b, sub(b, probabilities, one_hot), inverse);
  b.output("dweight", matmul(b, dlogits, x, true, false));
  b.output("dx", matmul(b, dlogits, weight));
  return module;
}

void fill_targets(Executable& program, int64_t n) {
  int64_t rows = n / vocabulary;
  if (program.has_input("targets")) {
    auto targets = program.input("targets").as<int32_t>();
    for (int64_t r = 0; r < rows; ++r)
      targets[static_cast<size_t>(r)] = static_cast<int32_t>(target_of(r));
    set_scalar(program, "inv_valid", static_cast<float>(1 / static_cast<double>(rows)));
    set_scalar(program, "seed", 1.0f);
  } else {
    auto one_hot = program.input("one_hot").as<float>();
    std::fill(one_hot.begin(), one_hot.end(), 0.0f);
    for (int64_t r = 0; r < rows; ++r)
      one_hot[static_cast<size_t>(r * vocabulary + target_of(r))] = 1;
  }
}

// Σ <p, g>: what comes after is the update of p with gradient g.
Module update(int64_t n, bool) {
  Module module;
  Builder b(module.programs["forward"], &module);
  Value p = b.parameter("p", {n / width, width}, Role::matrix, {Init::Kind::normal, 0.02});
  b.output("loss", sum_to(b, mul(b, p, b.input("g", DType::f32, {n / width, width})), {}));
  return module;
}

std::vector<Chain> chains() {
  auto optimizer = [](const char* kind) {
    return Chain{.name = str(kind, " update"),
                 .program = "apply",
                 .options = {.optimizer = recommended(kind)},
                 .build = update};
  };
  return {{.name = "Y = ReLU(X + W)", .program = "chain", .build = relu_of_sum},
          {.name = "Y = GELU(X + bias)", .program = "chain", .build = gelu_of_bias},
          {.name = "residual sum and LayerNorm", .program = "chain", .build = norm_of_residual},
          {.name = "cross-entropy and its gradient",
           .program = "chain",
           .build = cross_entropy,
           .fill = fill_targets},
          optimizer("sgd"),
          optimizer("adamw"),
          optimizer("lamb")};
}

// A chain compiled one way, with operands.
class Way {
 public:
  Way(const Chain& chain, int64_t elements, bool fused, CpuTarget& target)
      : session_(compile(chain.build(elements, fused), options(chain, fused), target)),
        program_(session_.program(chain.program)) {
    const Program& program = session_.module().programs.at(chain.program);
    for (NodeId n : program.order)
      result_.bytes += cost_of(*program.node(n).op, program.call(n)).bytes;
    result_.nodes = static_cast<int64_t>(program.order.size());
    result_.arena_bytes = session_.plan().arena_bytes;
  }

  void measure(const Chain& chain, int64_t elements) {
    start(chain, elements);
    int64_t begin = now_ns();
    program_.run();
    seconds_.push_back(static_cast<double>(now_ns() - begin) * 1e-9);
  }

  FusionWay result() const {
    FusionWay way = result_;
    way.seconds = median(seconds_);
    return way;
  }

  // What one run leaves behind: outputs, parameters and moments.
  std::vector<std::vector<float>> values(const Chain& chain, int64_t elements) {
    start(chain, elements);
    program_.run();
    std::vector<std::vector<float>> list;
    auto take = [&](const TensorRef& tensor) {
      auto v = tensor.as<float>();
      list.emplace_back(v.begin(), v.end());
    };
    for (const auto& [name, tensor] : program_.outputs())
      if (tensor.type.dtype == DType::f32) take(tensor);
    const auto& persistents = session_.module().persistents;
    for (size_t i = 0; i < persistents.size(); ++i)
      if (persistents[i].kind != PersistentKind::gradient)
        take(session_.persistent(static_cast<int32_t>(i)));
    return list;
  }

 private:
  static PassOptions options(const Chain& chain, bool fused) {
    PassOptions result = chain.options;
    result.fuse = fused;
    return result;
  }

  // A run may write over its inputs.
  void start(const Chain& chain, int64_t elements) {
    session_.initialise(1);
    for (const char* name : {"x", "w", "bias", "weight"})
      if (program_.has_input(name)) fill_random(program_.input(name).as<float>(), hash64(name, 1));
    const Module& module = session_.module();
    if (module.find("p.grad") >= 0) fill_random(session_.persistent("p.grad").as<float>(), 3);
    if (chain.fill) chain.fill(program_, elements);
    const OptimizerConfig& optimizer = chain.options.optimizer;
    set_scalar(program_, "clip_factor", 1.0f);
    for (const NamedScalar& s : find_optimizer(optimizer.kind).scalars(optimizer, 1, optimizer.lr))
      set_scalar(program_, s.name, static_cast<float>(s.value));
  }

  Session session_;
  Executable& program_;
  FusionWay result_;
  std::vector<double> seconds_;
};

double difference(const std::vector<std::vector<float>>& a,
                  const std::vector<std::vector<float>>& b) {
  ANNEAL_ASSERT(a.size() == b.size());
  double worst = 0;
  for (size_t t = 0; t < a.size(); ++t) {
    ANNEAL_ASSERT(a[t].size() == b[t].size());
    double largest = 0, apart = 0;
    for (size_t i = 0; i < a[t].size(); ++i) {
      largest = std::max(largest, static_cast<double>(std::abs(a[t][i])));
      apart = std::max(apart, static_cast<double>(std::abs(a[t][i] - b[t][i])));
    }
    if (apart > 0) worst = std::max(worst, apart / largest);
  }
  return worst;
}

}  // namespace

void check_fusion_elements(int64_t elements) {
  if (elements < 2 * vocabulary || elements > int64_t{1} << 32)
    throw UsageError(str("[--elements] expected from ", 2 * vocabulary, " to ", int64_t{1} << 32,
                         ", got ", elements));
}

std::vector<FusionMeasurement> measure_fusion(int64_t elements, int64_t threads,
                                              const std::function<void(const std::string&)>& log) {
  constexpr int rounds = 5;
  check_fusion_elements(elements);
  elements = elements / vocabulary * vocabulary;
  set_threads(threads);
  CpuTarget target;
  std::vector<FusionMeasurement> list;
  for (const Chain& chain : chains()) {
    if (log) log(chain.name);
    Way separate(chain, elements, false, target), fused(chain, elements, true, target);
    FusionMeasurement m{.name = chain.name, .shapes = str(elements, " numbers")};
    m.difference = difference(separate.values(chain, elements), fused.values(chain, elements));
    for (int i = 0; i < rounds; ++i) {
      if (StopSignals::requested()) throw Error("interrupted", ExitCode::interrupted);
      separate.measure(chain, elements);
      fused.measure(chain, elements);
    }
    m.separate = separate.result();
    m.fused = fused.result();
    list.push_back(std::move(m));
  }
  return list;
}

}  // namespace anneal
