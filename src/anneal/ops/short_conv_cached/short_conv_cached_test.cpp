#include "anneal/ops/short_conv_cached/short_conv_cached.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/testing/op_check.hpp"

namespace anneal {
namespace {

// Fewer new tokens than the filter has taps and more; with a history and without, which then must
// not be read.
TEST(ShortConvCached, OneTokenAndChunks) {
  struct {
    int64_t columns, channels, taps;
  } const sizes[] = {{1, 1, 2}, {6, 3, 4}, {600, 300, 3}, {40, 20, 16}};
  for (auto s : sizes)
    for (int64_t positions : {1, 2, 32, 150})
      for (int start : {0, 1000}) {
        testing::OpCase c{
            .name = str(positions, " tokens after ", start, ", ", s.channels, " of ", s.columns,
                        " columns, ", s.taps, " taps"),
            .op = &short_conv_cached_op(),
            .in = {TensorType{DType::f32, {1, positions, s.columns}},
                   TensorType{DType::f32, {s.channels, s.taps}},
                   TensorType{DType::f32, {s.taps - 1, s.channels}}, TensorType{DType::i32, {}}}};
        c.fill = [=](int i, RefTensor& t) {
          if (i == 3) t.data[0] = start;
          if (i == 2 && start == 0)
            for (double& x : t.data) x = std::nan("");
        };
        c.low_inputs = bit(0);
        c.low_outputs = bit(0);
        c.gradient = false;
        testing::check(c);
        testing::check_low(c);
      }
}

}  // namespace
}  // namespace anneal
