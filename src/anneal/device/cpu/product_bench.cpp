#include "anneal/device/cpu/product_bench.hpp"

#include <dnnl.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/device/arena.hpp"
#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/dnnl_gemm.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"

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
// likes best. Throws dnnl::error where there is none.
class PackedProduct {
 public:
  PackedProduct(const MatmulSpec& s, const Operand& a, const Operand& b, const Operand& c)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    memory::desc a_desc = plain(s.m, s.k, s.trans_a, s.a), c_desc = plain(s.m, s.n, false, s.c);
    memory::desc any({s.k, s.n}, type(s.b), memory::format_tag::any);
    dnnl::primitive_attr attr;
    if (s.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attr.set_post_ops(sum);
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl::matmul::primitive_desc pd(engine_, a_desc, any, c_desc, attr);
#else
    dnnl::matmul::primitive_desc pd({a_desc, any, c_desc}, attr, engine_);
#endif
    memory plain_b(plain(s.k, s.n, s.trans_b, s.b), engine_, b.at(0));
    b_ = memory(pd.weights_desc(), engine_);
    dnnl::reorder(plain_b, b_).execute(stream_, plain_b, b_);
    stream_.wait();
    a_ = memory(a_desc, engine_, a.at(0));
    c_ = memory(c_desc, engine_, c.at(0));
    product_ = dnnl::matmul(pd);
  }

  void run() const {
    product_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}});
    stream_.wait();
  }

 private:
  using memory = dnnl::memory;
  static memory::data_type type(DType dtype) {
    return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  }
  static memory::desc plain(int64_t rows, int64_t columns, bool transposed, DType dtype) {
    auto strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
    return {{rows, columns}, type(dtype), strides};
  }

  dnnl::engine engine_;
  mutable dnnl::stream stream_;
  memory a_, b_, c_;
  dnnl::matmul product_;
};

}  // namespace

struct ProductBench::Impl {
  Impl(const MatmulSpec& s, int64_t products)
      : count(products),
        a(s.m * s.k, s.a, products),
        b(s.k * s.n, s.b, products),
        c(s.m * s.n, s.c, products) {}
  int64_t count;
  Operand a, b, c;
  Arena workspace;
  std::function<void()> way;
  std::unique_ptr<std::atomic<bool>> failed;  // a product of the library
};

ProductBench::ProductBench(const MatmulSpec& spec, int64_t count) {
  MatmulSpec s = spec;
  s.bias = false;
  impl_ = std::make_unique<Impl>(s, count);
  Impl& i = *impl_;
  double best = std::numeric_limits<double>::infinity();
  auto consider = [&](std::function<void()> way) {
    // A product that fails is fast.
    way();
    if (i.failed && i.failed->exchange(false)) return;
    double seconds = median_seconds(way);
    if (seconds >= best) return;
    best = seconds;
    i.way = std::move(way);
  };
  auto tiled = std::make_shared<CpuMatmul>(s);
  DnnlGemm::Leading leading{s.trans_a ? s.m : s.k, s.trans_b ? s.k : s.n, s.n};
  bool supported = DnnlGemm::supports(s);
  // Each of several products needs a primitive of its own, whose argument table it writes.
  auto gemms = std::make_shared<std::vector<DnnlGemm>>();
  for (int64_t k = 0; supported && k < count; ++k) gemms->emplace_back(s, leading);
  int64_t scratch = supported ? ((*gemms)[0].scratchpad_bytes() + 63) / 64 * 64 : 0;
  i.workspace = Arena(std::max({int64_t{64}, tiled->workspace_bytes(), scratch * count}));
  consider([&i, tiled] {
    for (int64_t k = 0; k < i.count; ++k)
      tiled->run(i.a.at(k), i.b.at(k), nullptr, i.c.at(k), i.workspace.at(0));
  });
  if (!supported) return;
  i.failed = std::make_unique<std::atomic<bool>>(false);
  auto run_one = [&i, gemms, scratch](int64_t k) {
    int status = (*gemms)[static_cast<size_t>(k)].run(i.a.at(k), i.b.at(k), nullptr, i.c.at(k),
                                                      i.workspace.at(scratch * k));
    if (status != 0) *i.failed = true;
  };
  if (count > 1) {
    consider([&i, run_one] { parallel_for_dynamic(i.count, run_one); });
    return;
  }
  consider([run_one] { run_one(0); });
  try {
    auto packed = std::make_shared<PackedProduct>(s, i.a, i.b, i.c);
    consider([packed] { packed->run(); });
  } catch (const dnnl::error&) {
    // No packed form of this product.
  }
}

ProductBench::~ProductBench() = default;
ProductBench::ProductBench(ProductBench&&) noexcept = default;
ProductBench& ProductBench::operator=(ProductBench&&) noexcept = default;

int64_t ProductBench::memory_bytes(const MatmulSpec& s, int64_t count) {
  // The right operand is packed, too.
  return count *
         (s.m * s.k * size_of(s.a) + 2 * s.k * s.n * size_of(s.b) + s.m * s.n * size_of(s.c));
}

double ProductBench::run() const {
  int64_t begin = now_ns();
  impl_->way();
  return static_cast<double>(now_ns() - begin) * 1e-9;
}

}  // namespace anneal
