#include "anneal/device/cpu/matmul.hpp"

#include "anneal/device/cpu/gemv.hpp"
#include "anneal/device/cpu/library_tiles.hpp"
#include "anneal/device/cpu/packed_gemm.hpp"

namespace anneal {

bool cpu_matmul_has_native_bf16() {
  static const bool native =
      DnnlGemm::supports({.m = 64, .n = 64, .k = 64, .a = DType::bf16, .b = DType::bf16});
  return native;
}

CpuMatmul::CpuMatmul(const MatmulSpec& spec) {
  ANNEAL_ASSERT(!spec.accumulate || spec.c == DType::f32, "only f32 accumulates");
  if (Gemv::fits(spec))
    product_ = std::make_unique<Gemv>(spec);
  else if (PackedGemm::preferred(spec))
    product_ = std::make_unique<PackedGemm>(spec);
  else
    product_ = std::make_unique<LibraryTiles>(spec);
}

CpuMatmul::~CpuMatmul() = default;
CpuMatmul::CpuMatmul(CpuMatmul&&) noexcept = default;
CpuMatmul& CpuMatmul::operator=(CpuMatmul&&) noexcept = default;

int64_t CpuMatmul::workspace_bytes() const { return product_->workspace_bytes(); }
LibraryMemory CpuMatmul::library_memory() const { return product_->library_memory(); }

void CpuMatmul::run(const void* a, const void* b, const void* bias, void* c,
                    std::byte* workspace) const {
  product_->run(a, b, static_cast<const float*>(bias), c, workspace);
}

}  // namespace anneal
