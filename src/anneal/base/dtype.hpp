#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "anneal/base/error.hpp"

namespace anneal {

// bfloat16: the upper half of an FP32. Conversion rounds to nearest even and keeps NaN a NaN.
struct bf16 {
  uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = is_nan ? static_cast<uint16_t>((u >> 16) | 0x40u)
                  : static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

enum class DType : uint8_t { f32, bf16, f64, i32, i64 };

inline constexpr DType all_dtypes[] = {DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64};

template <class T>
struct Tag {
  using type = T;
};

// Calls f(Tag<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(Tag<float>{});
    case DType::bf16:
      return f(Tag<anneal::bf16>{});
    case DType::f64:
      return f(Tag<double>{});
    case DType::i32:
      return f(Tag<int32_t>{});
    case DType::i64:
      return f(Tag<int64_t>{});
  }
  ANNEAL_ASSERT(false, "unknown dtype");
}

inline int64_t size_of(DType dtype) {
  return visit(dtype, [](auto tag) -> int64_t { return sizeof(typename decltype(tag)::type); });
}

inline std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {"f32", "bf16", "f64", "i32", "i64"};
  return names[static_cast<int>(dtype)];
}

inline bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f64;
}

}  // namespace anneal
