#include "anneal/device/cpu/rates.hpp"

#include <gtest/gtest.h>

#include "anneal/device/cpu/product_bench.hpp"

namespace anneal {
namespace {

// Rates are the machine's own business; that they are rates at all is not.
TEST(Rates, AreThoseOfAMachine) {
  MachineRates rates = measure_rates();
  for (double rate : {rates.f32_flops, rates.triad_bytes, rates.streaming_triad_bytes,
                      rates.read_bytes, rates.cached_bytes}) {
    EXPECT_GT(rate, 1e7);
    EXPECT_LT(rate, 1e15);
  }
  EXPECT_EQ(rates.bf16_flops > 0, cpu_matmul_has_native_bf16());
  EXPECT_EQ(rates.flops(DType::f32), rates.f32_flops);
  EXPECT_EQ(rates.flops(DType::bf16), rates.bf16_flops > 0 ? rates.bf16_flops : rates.f32_flops);
}

TEST(Rates, EveryKindOfProductCanBeMeasured) {
  MatmulSpec spec{.m = 40, .n = 24, .k = 16};
  for (bool trans_a : {false, true})
    for (bool trans_b : {false, true}) {
      spec.trans_a = trans_a, spec.trans_b = trans_b, spec.accumulate = trans_a && !trans_b;
      EXPECT_GT(ProductBench(spec, 1).run(), 0);
    }
  EXPECT_GT(ProductBench({.m = 8, .n = 8, .k = 8, .trans_b = true}, 5).run(), 0);
  MatmulSpec low{.m = 16, .n = 16, .k = 16, .a = DType::bf16, .b = DType::bf16};
  EXPECT_GT(ProductBench(low, 1).run(), 0);
}

}  // namespace
}  // namespace anneal
