#pragma once

#include <cstdint>

#include "anneal/base/dtype.hpp"

namespace anneal {

// A 16-bit float to f32 (exact) and f32 to a 16-bit float (to nearest even), n elements, on all
// threads.
void widen(const void* from, DType low, float* to, int64_t n);
void narrow(const float* from, void* to, DType low, int64_t n);

}  // namespace anneal
