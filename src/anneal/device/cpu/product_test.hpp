#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/base/rng.hpp"

namespace anneal {

// Numbers in [-1, 1), a function of the key.
inline std::vector<float> random_floats(int64_t n, uint64_t key) {
  std::vector<float> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    x[static_cast<size_t>(i)] = 2 * uniform_float(philox(key, static_cast<uint64_t>(i), 0)[0]) - 1;
  return x;
}

// A matrix in one of the types that products take, and its elements as they are in that type.
struct StoredMatrix {
  StoredMatrix(const std::vector<float>& x, DType stored) : dtype(stored), values(x) {
    bytes.resize(x.size() * static_cast<size_t>(size_of(dtype)));
    visit(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (size_t i = 0; i < x.size(); ++i) {
        T narrow(x[i]);
        reinterpret_cast<T*>(bytes.data())[i] = narrow;
        values[i] = static_cast<float>(narrow);
      }
    });
  }
  DType dtype;
  std::vector<float> values;
  std::vector<std::byte> bytes;
};

inline constexpr DType product_dtypes[] = {DType::f32, DType::bf16, DType::f16};

}  // namespace anneal
