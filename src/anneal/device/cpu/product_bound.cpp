#include <dnnl.hpp>

#include <algorithm>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/device/arena.hpp"
#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/dnnl_gemm.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/rates.hpp"

namespace anneal {
namespace {

// Room for `count` matrices of this type, filled with numbers in [-0.5, 0.5).
class Operand {
 public:
  Operand(int64_t elements, DType dtype, int64_t count)
      : stride_(elements * size_of(dtype)), memory_(std::max<int64_t>(1, stride_ * count)) {
    parallel_ranges(elements * count, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        auto word = philox(0x5eed, static_cast<uint64_t>(i), 0)[0];
        float x = static_cast<float>(word >> 8) * 0x1p-24f - 0.5f;
        if (dtype == DType::f32)
          reinterpret_cast<float*>(memory_.at(0))[i] = x;
        else
          reinterpret_cast<bf16*>(memory_.at(0))[i] = bf16(x);
      }
    });
  }
  std::byte* at(int64_t index) const { return memory_.at(index * stride_); }

 private:
  int64_t stride_;
  Arena memory_;
};

// The product on the library's own threads, with the right operand in the layout that the library
// likes best: packed before, which is not counted.
double packed_seconds(const MatmulSpec& s, const Operand& a, const Operand& b, const Operand& c) {
  using dnnl::memory;
  auto type = [](DType dtype) {
    return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  };
  auto plain = [&](int64_t rows, int64_t columns, bool transposed, DType dtype) {
    auto strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
    return memory::desc({rows, columns}, type(dtype), strides);
  };
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  memory::desc a_desc = plain(s.m, s.k, s.trans_a, s.a), c_desc = plain(s.m, s.n, false, s.c);
  memory::desc any({s.k, s.n}, type(s.b), memory::format_tag::any);
  dnnl::primitive_attr attr;
  if (s.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attr.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  dnnl::matmul::primitive_desc pd(engine, a_desc, any, c_desc, attr);
#else
  dnnl::matmul::primitive_desc pd({a_desc, any, c_desc}, attr, engine);
#endif
  memory plain_b(plain(s.k, s.n, s.trans_b, s.b), engine, b.at(0));
  memory packed_b(pd.weights_desc(), engine);
  dnnl::reorder(plain_b, packed_b).execute(stream, plain_b, packed_b);
  memory a_memory(a_desc, engine, a.at(0)), c_memory(c_desc, engine, c.at(0));
  dnnl::matmul product(pd);
  return median_seconds([&] {
    product.execute(
        stream, {{DNNL_ARG_SRC, a_memory}, {DNNL_ARG_WEIGHTS, packed_b}, {DNNL_ARG_DST, c_memory}});
    stream.wait();
  });
}

}  // namespace

double best_product_seconds(const MatmulSpec& spec, int64_t count) {
  MatmulSpec s = spec;
  s.bias = false;
  Operand a(s.m * s.k, s.a, count), b(s.k * s.n, s.b, count), c(s.m * s.n, s.c, count);
  CpuMatmul tiled(s);
  Arena workspace(std::max<int64_t>(1, tiled.workspace_bytes()));
  double best = median_seconds([&] {
    for (int64_t i = 0; i < count; ++i)
      tiled.run(a.at(i), b.at(i), nullptr, c.at(i), workspace.at(0));
  });
  if (!DnnlGemm::supports(s)) return best;
  DnnlGemm gemm(s, {s.trans_a ? s.m : s.k, s.trans_b ? s.k : s.n, s.n});
  int64_t scratch = (gemm.scratchpad_bytes() + 63) / 64 * 64;
  if (count > 1) {
    // One thread a product; each needs a primitive of its own, whose argument table it writes.
    std::vector<DnnlGemm> gemms;
    for (int64_t i = 0; i < count; ++i)
      gemms.emplace_back(s, DnnlGemm::Leading{s.trans_a ? s.m : s.k, s.trans_b ? s.k : s.n, s.n});
    Arena scratchpads(std::max<int64_t>(1, scratch * count));
    double seconds = median_seconds([&] {
      parallel_for_dynamic(count, [&](int64_t i) {
        gemms[static_cast<size_t>(i)].run(a.at(i), b.at(i), nullptr, c.at(i),
                                          scratchpads.at(scratch * i));
      });
    });
    return std::min(best, seconds);
  }
  Arena scratchpad(std::max<int64_t>(1, scratch));
  double plain =
      median_seconds([&] { gemm.run(a.at(0), b.at(0), nullptr, c.at(0), scratchpad.at(0)); });
  best = std::min(best, plain);
  try {
    best = std::min(best, packed_seconds(s, a, b, c));
  } catch (const dnnl::error&) {
    // No packed form of this product.
  }
  return best;
}

}  // namespace anneal
