#include <gtest/gtest.h>

#include "tiny_model.hpp"

namespace anneal {
namespace {

constexpr int64_t rows = 8, context = 16;
constexpr int64_t first_length = 7, second_length = context - first_length;

// A batch put together document by document. What no document fills is padding: token 0, no
// targets.
class Documents {
 public:
  Documents()
      : tokens_(rows * context, 0), targets_(rows * context, -1), positions_(rows * context, 0) {}

  // Document `name` of `length` tokens, from `column` of a row on; its targets are its own tokens.
  void put(int64_t row, int64_t column, int64_t length, uint64_t name, bool counts = true) {
    for (int64_t t = 0; t < length; ++t) {
      auto at = static_cast<size_t>(row * context + column + t);
      tokens_[at] = token(name, t);
      positions_[at] = static_cast<int32_t>(t);
      if (!counts || t + 1 == length) continue;
      targets_[at] = token(name, t + 1);
      ++valid_;
    }
  }
  Batch batch() const {
    return {.rows = rows,
            .context = context,
            .tokens = tokens_,
            .targets = targets_,
            .positions = positions_,
            .samples = {},
            .valid_tokens = valid_};
  }

 private:
  static int32_t token(uint64_t name, int64_t t) {
    return static_cast<int32_t>(philox(5, name, static_cast<uint64_t>(t))[0] % 96);
  }
  std::vector<int32_t> tokens_, targets_, positions_;
  int64_t valid_ = 0;
};

RunConfig config_of(const ModelKind& kind, bool isolate) {
  RunConfig config = tiny_config(kind.family, kind.precision);
  config.model.dropout = 0;
  config.data.isolate_documents = isolate;
  return config;
}

class Isolation : public testing::TestWithParam<ModelKind> {
 protected:
  void SetUp() override {
    auto config = config_of(GetParam(), true);
    if (!config.model.traits().mixers) return;
    CpuTarget target;
    EXPECT_THROW(Engine(config, {}, target), InternalError);
    GTEST_SKIP() << "mixers of this family see across the borders of documents";
  }
};

// The first document of each row, its tokens named from `name` on, and the second, which counts.
Documents second_counts(uint64_t name) {
  Documents d;
  for (int64_t row = 0; row < rows; ++row) {
    d.put(row, 0, first_length, name + static_cast<uint64_t>(row), false);
    d.put(row, first_length, second_length, 1000 + static_cast<uint64_t>(row));
  }
  return d;
}

TEST_P(Isolation, AChangedDocumentChangesNoBitOfItsNeighbour) {
  for (bool isolate : {true, false}) {
    CpuTarget target;
    Engine engine(config_of(GetParam(), isolate), {}, target);
    engine.session().initialise(3);
    Documents one = second_counts(100), other = second_counts(200);
    auto a = engine.gradients(one.batch()), b = engine.gradients(other.batch());
    EXPECT_EQ(a.loss == b.loss, isolate) << a.loss << " " << b.loss;
    EXPECT_EQ(a.grad_norm == b.grad_norm, isolate) << a.grad_norm << " " << b.grad_norm;
  }
}

TEST_P(Isolation, DocumentsThatShareASequenceTrainAsIfAlone) {
  CpuTarget target;
  Engine engine(config_of(GetParam(), true), {}, target);
  engine.session().initialise(3);
  Documents together, alone;
  for (int64_t i = 0; i < rows / 2; ++i) {
    auto first = static_cast<uint64_t>(i), second = static_cast<uint64_t>(100 + i);
    together.put(i, 0, first_length, first);
    together.put(i, first_length, second_length, second);
    alone.put(i, 0, first_length, first);
    alone.put(i + rows / 2, 0, second_length, second);
  }
  auto a = engine.gradients(together.batch()), b = engine.gradients(alone.batch());
  // Sums in another order: rounding of FP32, and of bf16 in saved activations.
  double tolerance = std::string(GetParam().precision) == "fp32" ? 1e-6 : 1e-3;
  EXPECT_NEAR(a.loss, b.loss, tolerance * b.loss);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 10 * tolerance * b.grad_norm);
}

INSTANTIATE_TEST_SUITE_P(Models, Isolation, testing::ValuesIn(model_kinds));

}  // namespace
}  // namespace anneal
