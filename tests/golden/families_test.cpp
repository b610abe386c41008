#include <gtest/gtest.h>
#include <cmath>

#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/model/hf_names.hpp"
#include "anneal/train/engine.hpp"
#include "anneal/train/generator.hpp"
#include "golden/golden.hpp"

namespace anneal {
namespace {

// Logits of tiny models of every family, as transformers computes them: token by token through the
// caches, and in one piece.
TEST(GoldenFamilies, Logits) {
  auto data = golden::read("families.json");
  auto tokens = data["tokens"].get<std::vector<int32_t>>();
  for (const auto& golden_model : data["models"]) {
    std::string name = golden_model["name"];
    RunConfig config;
    config.model = model_config_from_hf(golden_model["config"].dump(), name);
    config.train.micro_batch = config.train.batch = 1;
    CpuTarget target;
    Engine engine(config, EngineOptions{.train = false, .evaluate = false, .generate = true},
                  target);
    Session& session = engine.session();
    for (const HfTensor& t : hf_tensors(session.module(), config.model)) {
      float* values = session.persistent(t.parameter).as<float>().data() + t.first_element;
      for (int64_t i = 0; i < t.shape.elements(); ++i)
        values[i] = golden::parameter(t.name, t.shape.rank() == 1, i);
    }
    session.refresh();
    for (const auto& record : golden_model["logits"]) {
      size_t length = record["position"].get<size_t>() + 1;
      auto expected = record["values"].get<std::vector<double>>();
      double largest = 1;
      for (double v : expected) largest = std::max(largest, std::fabs(v));
      for (bool at_once : {true, false}) {
        Generator generator(session, config.model);
        std::vector<float> logits;
        size_t piece = at_once ? length : 1;
        for (size_t i = 0; i < length; i += piece) {
          auto result = generator.read({tokens.data() + i, piece});
          logits.assign(result.begin(), result.end());
        }
        ASSERT_EQ(logits.size(), expected.size());
        for (size_t v = 0; v < expected.size(); ++v)
          ASSERT_NEAR(logits[v], expected[v], 1e-5 * largest)
              << name << ", position " << length - 1 << ", token " << v;
      }
    }
  }
}

}  // namespace
}  // namespace anneal
