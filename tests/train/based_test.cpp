// A model whose layers mix positions in three ways learns what the frequencies of tokens don't
// tell.

#include <gtest/gtest.h>
#include <cmath>

#include "train/tiny_model.hpp"

namespace anneal {
namespace {

// Text in which a token is decided by the one three places before it, but for one in ten.
std::vector<int32_t> text_of(int64_t tokens, int32_t vocabulary) {
  std::vector<int32_t> text;
  for (int64_t i = 0; i < tokens; ++i) {
    auto words = philox(23, static_cast<uint64_t>(i), 0);
    auto drawn = static_cast<int32_t>(words[0] % static_cast<uint32_t>(vocabulary));
    bool free = i < 3 || words[1] % 10 == 0;
    text.push_back(free ? drawn : (5 * text[static_cast<size_t>(i - 3)] + 1) % vocabulary);
  }
  return text;
}

double entropy_of(const std::vector<int32_t>& text, int32_t vocabulary) {
  std::vector<double> counts(static_cast<size_t>(vocabulary));
  for (int32_t token : text) ++counts[static_cast<size_t>(token)];
  double entropy = 0, n = static_cast<double>(text.size());
  for (double count : counts)
    if (count > 0) entropy -= count / n * std::log(count / n);
  return entropy;
}

class Based : public testing::TestWithParam<const char*> {};

TEST_P(Based, LearnsMoreThanFrequencies) {
  RunConfig config = tiny_config("based", GetParam());
  config.model.vocab_size = 32;
  config.model.conv_taps = 2;  // too short to see the deciding token by one convolution
  CpuTarget target;
  Engine engine(config, {}, target);
  engine.session().initialise(3);
  constexpr int64_t steps = 150;
  int64_t of_step = config.train.batch * config.model.context;
  auto text = text_of(steps * of_step + 1, 32);
  double entropy = entropy_of(text, 32), last = 0;
  for (int64_t s = 0; s < steps; ++s) {
    auto from = static_cast<size_t>(s * of_step);
    std::vector<int32_t> positions;
    for (int64_t i = 0; i < of_step; ++i)
      positions.push_back(static_cast<int32_t>(i % config.model.context));
    Batch batch{.rows = config.train.batch, .context = config.model.context, .samples = {}};
    batch.tokens = std::span(text).subspan(from, static_cast<size_t>(of_step));
    batch.targets = std::span(text).subspan(from + 1, static_cast<size_t>(of_step));
    batch.positions = positions;
    batch.valid_tokens = of_step;
    batch.step = s;
    GradientResult result = engine.gradients(batch);
    engine.stepper().update(s, 1e-2, result.grad_norm);
    last = result.loss;
  }
  EXPECT_GT(entropy, 3);
  EXPECT_LT(last, 0.75 * entropy);
}

INSTANTIATE_TEST_SUITE_P(Precisions, Based, testing::Values("fp32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anneal
