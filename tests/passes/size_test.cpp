#include <gtest/gtest.h>

#include "passes/sample_models.hpp"

namespace anneal::testing {
namespace {

// What is known of a model's size before it is built: all its parameters but biases and gains.
TEST(ModelConfig, CountsItsMatrices) {
  for (const SampleModel& model : sample_models()) {
    Module module = build_sample(model.config);
    int64_t elements = 0;
    for (int32_t p : module.parameters()) {
      const Persistent& parameter = module.persistent(p);
      if (decays(parameter.role)) elements += parameter.type.shape.elements();
    }
    EXPECT_EQ(model.config.matrix_elements(), static_cast<double>(elements)) << model.name;
  }
}

}  // namespace
}  // namespace anneal::testing
