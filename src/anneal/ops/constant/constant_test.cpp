#include "anneal/ops/constant/constant.hpp"

#include <gtest/gtest.h>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

TEST(Constant, FillsEveryDtype) {
  for (DType dtype : all_dtypes)
    for (const auto& shape : {Shape{}, Shape{7}, Shape{2, 3, 65}, Shape{300, 129}})
      testing::check({.name = str("constant ", name_of(dtype), shape),
                      .op = &constant_op(),
                      .attrs = Attrs::of(ConstantAttrs{-3, shape, dtype}),
                      .tolerance = 0,
                      .gradient = false});
}

TEST(Constant, RoundsToItsDtype) {
  testing::check({.name = "a tenth in f32",
                  .op = &constant_op(),
                  .attrs = Attrs::of(ConstantAttrs{0.1, {5}, DType::f32}),
                  .tolerance = 0.5});
}

}  // namespace
}  // namespace anneal
