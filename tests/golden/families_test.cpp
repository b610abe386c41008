#include <gtest/gtest.h>
#include <cmath>

#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/checkpoint/model_weights.hpp"
#include "anneal/train/engine.hpp"
#include "anneal/train/generator.hpp"
#include "anneal/train/model_files.hpp"
#include "golden/hf_values.hpp"

namespace anneal {
namespace {

const nlohmann::json& families_json() {
  static const nlohmann::json data = [] {
    auto families = golden::read("families.json"), based = golden::read("based.json");
    for (const auto& model : based["models"]) families["models"].push_back(model);
    return families;
  }();
  return data;
}

// Tiny models of every family, compared with what transformers, or based.py, computes of them.
class GoldenFamily : public ::testing::TestWithParam<size_t> {
 protected:
  GoldenFamily() {
    config_.model = model_config_from_hf(model_["config"].dump(), name());
    config_.train.batch = config_.train.micro_batch = 3;
    config_.parallel.shards = 1;
  }

  std::string name() const { return model_["name"]; }

  Session& build(const EngineOptions& options) {
    engine_ = std::make_unique<Engine>(config_, options, target_);
    golden::set_parameters(engine_->session(), config_.model);
    return engine_->session();
  }
  Session& build_generator() {
    return build({.train = false, .evaluate = false, .generate = true});
  }

  const nlohmann::json& data_ = families_json();
  const nlohmann::json& model_ = data_["models"][GetParam()];
  RunConfig config_;
  CpuTarget target_;
  std::unique_ptr<Engine> engine_;
};

// Token by token through the caches, and in one piece.
TEST_P(GoldenFamily, Logits) {
  Session& session = build_generator();
  auto tokens = data_["tokens"].get<std::vector<int32_t>>();
  for (const auto& record : model_["logits"]) {
    size_t length = record["position"].get<size_t>() + 1;
    auto expected = record["values"].get<std::vector<double>>();
    double largest = 1;
    for (double v : expected) largest = std::max(largest, std::fabs(v));
    for (bool at_once : {true, false}) {
      Generator generator(session, config_.model);
      std::vector<float> logits;
      size_t piece = at_once ? length : 1;
      for (size_t i = 0; i < length; i += piece) {
        auto result = generator.read({tokens.data() + i, piece});
        logits.assign(result.begin(), result.end());
      }
      ASSERT_EQ(logits.size(), expected.size());
      for (size_t v = 0; v < expected.size(); ++v)
        ASSERT_NEAR(logits[v], expected[v], 1e-5 * largest)
            << "position " << length - 1 << ", token " << v;
    }
  }
}

TEST_P(GoldenFamily, LossAndEveryGradient) {
  std::vector<int32_t> tokens, targets, positions;
  Batch batch{.rows = 3, .context = 13, .samples = {}};
  for (const auto& row : data_["inputs"])
    for (int32_t token : row) {
      positions.push_back(static_cast<int32_t>(tokens.size() % 13));
      tokens.push_back(token);
    }
  for (const auto& row : data_["targets"])
    for (int32_t target : row) {
      targets.push_back(target);
      batch.valid_tokens += target >= 0;
    }
  batch.tokens = tokens;
  batch.targets = targets;
  batch.positions = positions;
  Session& session = build({.evaluate = false, .sequence = 13});
  auto result = engine_->gradients(batch);
  double loss = model_["loss"], norm = model_["grad_norm"];
  EXPECT_NEAR(result.loss, loss, 1e-6 * loss);
  EXPECT_NEAR(result.grad_norm, norm, 1e-5 * norm);
  auto tensors = hf_tensors(session.module(), config_.model);
  EXPECT_EQ(tensors.size(), model_["gradients"].size());
  for (const HfTensor& t : tensors) {
    ASSERT_TRUE(model_["gradients"].contains(t.name)) << t.name;
    const auto& record = model_["gradients"][t.name];
    double bound = 1e-5 * std::max(record["norm"].get<double>(), 1e-4 * norm);
    auto gradient = golden::tensor_values(session, t, ".grad");
    EXPECT_LE(golden::distance(record, t.name, gradient.data(), t.shape.elements()), bound)
        << t.name;
    for (size_t i = 0; record.contains("index") && i < record["index"].size(); ++i)
      EXPECT_NEAR(gradient[record["index"][i].get<size_t>()], record["values"][i].get<double>(),
                  bound)
          << t.name;
  }
}

// The same up to a token whose two best candidates are nearer than rounding may decide.
TEST_P(GoldenFamily, GreedyText) {
  Session& session = build_generator();
  for (int32_t p : session.module().parameters())
    if (session.module().persistent(p).type.shape.rank() > 1)
      for (float& x : session.persistent(p).as<float>()) x *= data_["greedy_scale"].get<float>();
  session.refresh();
  auto tokens = data_["tokens"].get<std::vector<int32_t>>();
  auto expected = model_["greedy"].get<std::vector<int32_t>>();
  auto ties = model_["ties"].get<std::vector<size_t>>();
  Generator generator(session, config_.model);
  auto result = generate(generator, {tokens.data(), data_["prompt"].get<size_t>()},
                         static_cast<int64_t>(expected.size()), {.temperature = 0},
                         config_.model.vocab_size, {}, [](int32_t) { return true; });
  ASSERT_EQ(result.tokens.size(), expected.size());
  auto difference = std::ranges::mismatch(result.tokens, expected).in2 - expected.begin();
  if (static_cast<size_t>(difference) == expected.size()) return;
  EXPECT_TRUE(std::ranges::count(ties, static_cast<size_t>(difference))) << "token " << difference;
}

// A directory is read and written again with the same bytes, whatever the order of its rows.
TEST_P(GoldenFamily, WeightsThereAndBack) {
  Session& session = build({.train = false, .evaluate = true, .sequence = 13});
  std::vector<std::vector<float>> values;
  std::vector<TensorView> views;
  for (const HfTensor& t : hf_tensors(session.module(), config_.model)) {
    values.push_back(golden::file_values(t));
    views.push_back({t.name, DType::f32, t.shape});
  }
  for (size_t i = 0; i < views.size(); ++i)
    views[i].data = reinterpret_cast<const std::byte*>(values[i].data());
  TemporaryDirectory there, back;
  write_safetensors(there.path() / "model.safetensors", views);
  for (int32_t p : session.module().parameters())
    std::ranges::fill(session.persistent(p).as<float>(), -1.0f);
  load_model_tensors(session, config_.model, ModelWeights(there.path()));
  write_safetensors(back.path() / "model.safetensors", model_tensors(session, config_.model));
  EXPECT_EQ(read_file(there.path() / "model.safetensors"),
            read_file(back.path() / "model.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenFamily, ::testing::Range(size_t{0}, families_json()["models"].size()),
    [](const auto& info) {
      return families_json()["models"][info.param]["name"].template get<std::string>();
    });

}  // namespace
}  // namespace anneal
