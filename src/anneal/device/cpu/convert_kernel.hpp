#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

using WidenKernel = void(const bf16* from, float* to, int64_t n);
using NarrowKernel = void(const float* from, bf16* to, int64_t n);
namespace portable {
WidenKernel widen_range;
NarrowKernel narrow_range;
}  // namespace portable
namespace avx2 {
WidenKernel widen_range;
NarrowKernel narrow_range;
}  // namespace avx2
namespace avx512 {
WidenKernel widen_range;
NarrowKernel narrow_range;
}  // namespace avx512

}  // namespace anneal
