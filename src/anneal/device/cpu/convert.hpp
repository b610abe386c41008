#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// bf16 to f32 (exact) and f32 to bf16 (to nearest even), n elements, on all threads.
void widen_bf16(const bf16* from, float* to, int64_t n);
void narrow_to_bf16(const float* from, bf16* to, int64_t n);

}  // namespace anneal
