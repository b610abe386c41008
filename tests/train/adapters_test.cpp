#include "anneal/model/adapters.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/model/hf_names.hpp"
#include "anneal/train/model_files.hpp"
#include "tiny_model.hpp"

namespace anneal {
namespace {

RunConfig config_of(const std::string& family, int64_t rank, const std::string& precision) {
  RunConfig config = tiny_config(family, precision);
  config.model.dropout = 0;
  config.lora.rank = rank;
  config.lora.alpha = 6;
  return config;
}

// Numbers for every adapter, B among them, so that all of them count.
void draw_adapters(Session& session) {
  for (int32_t p : session.module().parameters()) {
    if (!session.module().persistent(p).trainable) continue;
    auto values = session.persistent(p).as<float>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = 0.8f * (uniform_float(philox(9, i, static_cast<uint64_t>(p))[0]) - 0.5f);
  }
  session.refresh();
}

class Adapters : public testing::TestWithParam<ModelKind> {
 protected:
  std::string family() const { return GetParam().family; }
  std::string precision() const { return GetParam().precision; }
};

TEST_P(Adapters, NewOnesChangeNothing) {
  CpuTarget target;
  Engine plain(config_of(family(), 0, precision()), {}, target);
  Engine adapted(config_of(family(), 3, precision()), {}, target);
  plain.session().initialise(3);
  adapted.session().initialise(3);
  DrawnBatch batch(plain.config(), 0);
  EXPECT_EQ(plain.gradients(batch.get()).loss, adapted.gradients(batch.get()).loss);
}

TEST_P(Adapters, OnlyTheyHaveGradientsAndMoments) {
  CpuTarget target;
  Engine engine(config_of(family(), 3, precision()), {.generate = true}, target);
  const Module& module = engine.session().module();
  int64_t trained = 0, of_adapters = 0;
  for (const Persistent& p : module.persistents) {
    if (p.kind == PersistentKind::parameter) {
      EXPECT_EQ(p.trainable, p.name.find(".lora_") != std::string::npos) << p.name;
      of_adapters += p.trainable;
    } else if (p.kind == PersistentKind::gradient || p.kind == PersistentKind::moment) {
      EXPECT_TRUE(module.persistent(p.of).trainable) << p.name;
      trained += p.kind == PersistentKind::gradient;
    }
  }
  EXPECT_EQ(trained, of_adapters);
  // A and B of each linear layer, packed ones counted apart.
  bool apart = engine.config().model.traits().naming == Naming::llama;
  EXPECT_EQ(of_adapters, family() == "based" ? 28 : 2 * 2 * (apart ? 7 : 4));
}

// … and in bf16 no FP32 beside what the products read.
TEST_P(Adapters, FrozenMatricesAreStoredOnce) {
  CpuTarget target;
  Engine engine(config_of(family(), 3, precision()), {}, target);
  const Module& module = engine.session().module();
  for (const Persistent& p : module.persistents) {
    bool frozen_matrix = p.of < 0 && is_hidden_matrix(p.role);
    if (frozen_matrix && p.kind == PersistentKind::parameter) {
      EXPECT_EQ(name_of(p.type.dtype), precision() == "fp32" ? "f32" : precision()) << p.name;
    }
    if (p.kind == PersistentKind::copy && module.persistent(p.of).of < 0) {
      EXPECT_FALSE(is_hidden_matrix(p.role)) << p.name;
    }
  }
}

TEST_P(Adapters, TheFirstStepPassesTheAudit) {
  CpuTarget target;
  Engine engine(config_of(family(), 3, precision()), {}, target);
  engine.session().initialise(3);
  DrawnBatch batch(engine.config(), 0);
  auto before = state_hash(engine.session());
  auto result = engine.gradients(batch.get());
  engine.stepper().audit_gradients(result.grad_norm);
  engine.stepper().update(0, 1e-2, result.grad_norm);
  EXPECT_NE(state_hash(engine.session()), before);
  EXPECT_LT(engine.gradients(batch.get()).loss, result.loss);
}

// y = x·(W + s·B·A)ᵀ: with the gradient dW of the weight, dB = s·dW·Aᵀ and dA = s·Bᵀ·dW.
TEST_P(Adapters, GradientsFollowFromThoseOfTheWeights) {
  if (precision() != "fp32") GTEST_SKIP() << "a comparison in FP32";
  CpuTarget target;
  auto config = config_of(family(), 3, precision());
  Engine adapted(config, {}, target), merged(config_of(family(), 0, precision()), {}, target);
  adapted.session().initialise(3);
  draw_adapters(adapted.session());
  DrawnBatch batch(config, 0);
  adapted.gradients(batch.get());
  Session& from = adapted.session();
  auto places = adapter_places(from.module(), config.model, {});
  std::vector<std::vector<float>> a, b, da, db;
  auto copy = [&](const std::string& name) {
    auto values = from.persistent(name).as<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  for (const auto& place : places) {
    a.push_back(copy(place.scope + ".lora_A"));
    b.push_back(copy(place.scope + ".lora_B"));
    da.push_back(copy(place.scope + ".lora_A.grad"));
    db.push_back(copy(place.scope + ".lora_B.grad"));
  }
  merge_adapters(from, config.model, config.lora);
  merged.session().initialise(3);
  for (int32_t p : merged.session().module().parameters()) {
    auto values = from.persistent(merged.session().module().persistent(p).name).as<float>();
    std::copy(values.begin(), values.end(), merged.session().persistent(p).as<float>().begin());
  }
  merged.gradients(batch.get());
  for (size_t i = 0; i < places.size(); ++i) {
    const auto& place = places[i];
    auto dw = merged.session()
                  .persistent(from.module().persistent(place.weight).name + ".grad")
                  .as<float>();
    int64_t rank = config.lora.rank, in = std::ssize(a[i]) / rank;
    bool in_out = config.model.traits().in_out;
    auto gradient = [&](int64_t f, int64_t c) {
      int64_t at = in_out ? c * place.features + f : (place.first + f) * in + c;
      return static_cast<double>(dw[static_cast<size_t>(at)]);
    };
    double error = 0, size = 0;
    for (int64_t f = 0; f < place.features; ++f)
      for (int64_t r = 0; r < rank; ++r) {
        double sum = 0;
        for (int64_t c = 0; c < in; ++c)
          sum += gradient(f, c) * a[i][static_cast<size_t>(r * in + c)];
        sum *= config.lora.scale();
        error += std::pow(sum - db[i][static_cast<size_t>(f * rank + r)], 2);
        size += sum * sum;
      }
    EXPECT_LE(std::sqrt(error), 2e-5 * std::sqrt(size)) << place.layer << " B";
    error = size = 0;
    for (int64_t r = 0; r < rank; ++r)
      for (int64_t c = 0; c < in; ++c) {
        double sum = 0;
        for (int64_t f = 0; f < place.features; ++f)
          sum += gradient(f, c) * b[i][static_cast<size_t>(f * rank + r)];
        sum *= config.lora.scale();
        error += std::pow(sum - da[i][static_cast<size_t>(r * in + c)], 2);
        size += sum * sum;
      }
    EXPECT_LE(std::sqrt(error), 2e-5 * std::sqrt(size)) << place.layer << " A";
  }
}

TEST_P(Adapters, MergedWeightsComputeTheSame) {
  if (precision() != "fp32") GTEST_SKIP() << "frozen weights are stored in 16 bits";
  CpuTarget target;
  auto config = config_of(family(), 3, precision());
  Engine engine(config, {}, target);
  engine.session().initialise(3);
  DrawnBatch batch(config, 0);
  double plain = engine.gradients(batch.get()).loss;
  draw_adapters(engine.session());
  double adapted = engine.gradients(batch.get()).loss;
  merge_adapters(engine.session(), config.model, config.lora);
  double merged = engine.gradients(batch.get()).loss;
  EXPECT_GT(std::abs(adapted - plain), 1e-3);
  EXPECT_NEAR(merged, adapted, 1e-5);
}

TEST_P(Adapters, AnUnknownTargetIsRefused) {
  CpuTarget target;
  auto config = config_of(family(), 3, precision());
  config.lora.targets = {"q_prj"};
  try {
    Engine engine(config, {}, target);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    std::string what = error.what();
    EXPECT_NE(what.find("[lora.targets]"), std::string::npos) << what;
    EXPECT_NE(what.find("(it has "), std::string::npos) << what;
  }
}

TEST_P(Adapters, DropoutIsOfTrainingOnlyAndDrawnBySample) {
  if (precision() != "fp32") GTEST_SKIP() << "the same in every precision";
  CpuTarget target;
  auto config = config_of(family(), 3, precision());
  Engine plain(config, {}, target);
  config.lora.dropout = 0.4;
  Engine dropping(config, {}, target);
  config.train.micro_batch = 4;
  Engine other_cut(config, {}, target);
  for (Engine* engine : {&plain, &dropping, &other_cut}) {
    engine->session().initialise(3);
    draw_adapters(engine->session());
  }
  DrawnBatch batch(config, 0);
  double without = plain.gradients(batch.get()).loss;
  double with = dropping.gradients(batch.get()).loss;
  EXPECT_NE(with, without);
  EXPECT_NEAR(other_cut.gradients(batch.get()).loss, with, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Models, Adapters, testing::ValuesIn(model_kinds));

}  // namespace
}  // namespace anneal
