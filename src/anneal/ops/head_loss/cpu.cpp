#include "anneal/ops/head_loss/cpu.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "anneal/device/cpu/convert.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ops/head_loss/head_loss.hpp"
#include "anneal/ops/head_loss/kernel.hpp"

namespace anneal {
namespace {

// More rows a chunk mean fewer visits of dweight, which is read and written once a chunk; 512 are
// enough for the matrix products, and a chunk of logits is not to outgrow the model.
constexpr int64_t max_rows = 512;
constexpr int64_t min_rows = 16;
constexpr int64_t chunk_bytes = int64_t{128} << 20;
constexpr int64_t grain = 1 << 14;  // logits a task

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Rows a chunk: chunks of about equal length that fit into chunk_bytes. The same with and without
// gradient, so that both compute the same logits.
int64_t choose_rows(int64_t rows, int64_t vocabulary, bool low) {
  int64_t fit = std::clamp(chunk_bytes / (vocabulary * (low ? 6 : 4)), min_rows, max_rows);
  int64_t chunks = (rows + fit - 1) / fit;
  return std::min(rows, ((rows + chunks - 1) / chunks + 15) / 16 * 16);
}

class HeadLossKernel final : public Kernel {
 public:
  explicit HeadLossKernel(const OpCall& call);
  int64_t workspace_bytes() const override { return workspace_; }
  LibraryMemory library_memory() const override {
    LibraryMemory memory;
    for (const CpuMatmul& product : products_) memory += product.library_memory();
    return memory;
  }
  void run(const KernelArgs& args) const override;

 private:
  struct Chunk {
    int64_t row, rows;
    size_t logits, dx, dweight;  // products
  };
  // Parts of the workspace, by offset.
  struct Layout {
    int64_t weight = 0;  // f32 copy
    int64_t d = 0;       // bf16
    int64_t loss = 0;
    int64_t correct = 0;
    int64_t logits = 0;
    int64_t product = 0;
  };

  size_t product(const MatmulSpec& spec);
  int64_t reserve(int64_t bytes);
  void rows_of_chunk(const KernelArgs& args, const Chunk& chunk, double scale) const;

  const HeadLossKernels& kernels_ =
      *pick(&portable::head_loss, &avx2::head_loss, &avx512::head_loss);
  HeadLossAttrs attrs_;
  bool gradient_, weight_gradient_;
  bool low_d_ = false;         // d is bf16, for products of bf16 operands
  bool widen_weight_ = false;  // once for all chunks, where products run in f32
  DType weight_dtype_;
  int64_t c_, v_, x_row_bytes_, dx_row_bytes_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<MatmulSpec> specs_;
  std::vector<CpuMatmul> products_;
  Layout at_;
  int64_t workspace_ = 0;
};

size_t HeadLossKernel::product(const MatmulSpec& spec) {
  auto it = std::find(specs_.begin(), specs_.end(), spec);
  if (it == specs_.end()) {
    specs_.push_back(spec);
    products_.emplace_back(spec);
    return specs_.size() - 1;
  }
  return static_cast<size_t>(it - specs_.begin());
}

int64_t HeadLossKernel::reserve(int64_t bytes) {
  int64_t offset = workspace_;
  workspace_ += aligned(bytes);
  return offset;
}

HeadLossKernel::HeadLossKernel(const OpCall& call)
    : attrs_(call.attrs.as<HeadLossAttrs>()),
      gradient_(call.out.size() > 2),
      weight_gradient_(call.out.size() > 3) {
  const auto &x = call.input(0), &weight = call.input(1);
  int64_t rows = x.shape.rows();
  c_ = x.shape.row_length();
  v_ = weight.shape[0];
  weight_dtype_ = weight.dtype;
  x_row_bytes_ = c_ * size_of(x.dtype);
  bool low = is_low(x.dtype) && is_low(weight.dtype);
  bool native =
      x.dtype == DType::bf16 && weight.dtype == DType::bf16 && cpu_matmul_has_native_bf16();
  low_d_ = gradient_ && native;
  widen_weight_ = is_low(weight.dtype) && !native;

  int64_t chunk_rows = attrs_.chunk_rows;
  chunk_rows = chunk_rows > 0 ? std::min(rows, chunk_rows) : choose_rows(rows, v_, low);
  DType w = widen_weight_ ? DType::f32 : weight.dtype;
  DType d = low_d_ ? DType::bf16 : DType::f32;
  for (int64_t row = 0; row < rows; row += chunk_rows) {
    int64_t n = std::min(chunk_rows, rows - row);
    Chunk chunk{.row = row, .rows = n, .logits = 0, .dx = 0, .dweight = 0};
    chunk.logits = product({.m = n, .n = v_, .k = c_, .trans_b = true, .a = x.dtype, .b = w});
    if (gradient_) {
      dx_row_bytes_ = c_ * size_of(call.out[2].dtype);
      chunk.dx = product({.m = n, .n = c_, .k = v_, .a = d, .b = w, .c = call.out[2].dtype});
    }
    if (weight_gradient_) {
      bool accumulate = row > 0 || call.has(5);
      chunk.dweight = product({.m = v_,
                               .n = c_,
                               .k = n,
                               .trans_a = true,
                               .a = d,
                               .b = x.dtype,
                               .accumulate = accumulate});
    }
    chunks_.push_back(chunk);
  }
  at_.weight = reserve(widen_weight_ ? v_ * c_ * 4 : 0);
  at_.d = reserve(low_d_ ? chunk_rows * v_ * 2 : 0);
  at_.loss = reserve(chunk_rows * 8);
  at_.correct = reserve(chunk_rows);
  at_.logits = reserve(chunk_rows * v_ * 4);
  int64_t largest = 0;
  for (const auto& p : products_) largest = std::max(largest, p.workspace_bytes());
  at_.product = reserve(largest);
}

void HeadLossKernel::rows_of_chunk(const KernelArgs& args, const Chunk& chunk, double scale) const {
  auto* logits = reinterpret_cast<float*>(args.workspace + at_.logits);
  auto* d = reinterpret_cast<bf16*>(args.workspace + at_.d);
  auto* loss = reinterpret_cast<double*>(args.workspace + at_.loss);
  auto* correct = reinterpret_cast<uint8_t*>(args.workspace + at_.correct);
  const int32_t* targets = args.input<int32_t>(2) + chunk.row;
  parallel_ranges(chunk.rows, std::max<int64_t>(1, grain / v_), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = logits + r * v_;
      RowLoss result{0, false};
      RowTarget target{targets[r], attrs_.label_smoothing, attrs_.z_loss};
      if (targets[r] < 0 || targets[r] >= v_) {
        if (targets[r] >= v_) result.loss = std::numeric_limits<double>::quiet_NaN();
        if (low_d_)
          std::fill_n(d + r * v_, v_, bf16{});
        else if (gradient_)
          std::fill_n(row, v_, 0.0f);
      } else if (!gradient_) {
        result = kernels_.loss(row, v_, target);
      } else if (low_d_) {
        result = kernels_.gradient_bf16(row, v_, target, scale, d + r * v_);
      } else {
        result = kernels_.gradient_f32(row, v_, target, scale);
      }
      loss[r] = result.loss;
      correct[r] = result.correct;
    }
  });
}

void HeadLossKernel::run(const KernelArgs& args) const {
  const void* weight = args.in[1];
  if (widen_weight_) {
    auto* wide = reinterpret_cast<float*>(args.workspace + at_.weight);
    widen(args.in[1], weight_dtype_, wide, v_ * c_);
    weight = wide;
  }
  double inv_valid = static_cast<double>(*args.input<float>(3));
  double scale = gradient_ ? inv_valid * static_cast<double>(*args.input<float>(4)) : 0;
  double sum = 0;
  int64_t correct = 0;
  std::byte* logits = args.workspace + at_.logits;
  const std::byte* d = low_d_ ? args.workspace + at_.d : logits;
  std::byte* scratch = args.workspace + at_.product;
  for (const auto& chunk : chunks_) {
    const std::byte* x = args.input<std::byte>(0) + chunk.row * x_row_bytes_;
    products_[chunk.logits].run(x, weight, nullptr, logits, scratch);
    rows_of_chunk(args, chunk, scale);
    for (int64_t r = 0; r < chunk.rows; ++r) {
      sum += reinterpret_cast<const double*>(args.workspace + at_.loss)[r];
      correct += reinterpret_cast<const uint8_t*>(args.workspace + at_.correct)[r];
    }
    if (!gradient_) continue;
    std::byte* dx = args.output<std::byte>(2) + chunk.row * dx_row_bytes_;
    products_[chunk.dx].run(d, weight, nullptr, dx, scratch);
    if (weight_gradient_) products_[chunk.dweight].run(d, x, nullptr, args.out[3], scratch);
  }
  *args.output<float>(0) = static_cast<float>(sum * inv_valid);
  *args.output<float>(1) = static_cast<float>(correct);
}

}  // namespace

std::unique_ptr<Kernel> make_head_loss_kernel(const OpCall& call) {
  return std::make_unique<HeadLossKernel>(call);
}

}  // namespace anneal
