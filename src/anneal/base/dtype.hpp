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

// IEEE 754 binary16: 11 bits of significand, normal numbers from 2^-14 to 65504. Conversion rounds
// to nearest even, so that 65520 and more become infinity; subnormal numbers are kept, and a NaN
// stays one, a quiet one, as in the CPU's own conversions. Always inlined: kernel sources call it.
struct f16 {
  uint16_t bits = 0;

  f16() = default;
  [[gnu::always_inline]] explicit f16(float value) {
    uint32_t u = __builtin_bit_cast(uint32_t, value), sign = u >> 16 & 0x8000u;
    u &= 0x7fffffffu;
    if (u >= 0x47800000u)  // 2^16 and more
      u = u > 0x7f800000u ? 0x7e00u | (u >> 13 & 0x3ffu) : 0x7c00u;
    else if (u < 0x38800000u)  // below 2^-14: next to 1/2, floats are multiples of 2^-24
      u = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, u) + 0.5f) - 0x3f000000u;
    else
      u = (u - 0x38000000u + 0xfffu + (u >> 13 & 1u)) >> 13;
    bits = static_cast<uint16_t>(sign | u);
  }
  [[gnu::always_inline]] explicit operator float() const {
    uint32_t sign = uint32_t{bits & 0x8000u} << 16, u = uint32_t{bits & 0x7fffu} << 13;
    if (u >= 0x0f800000u)
      u = (u + 0x70000000u) | (u > 0x0f800000u ? 0x00400000u : 0u);
    else if (u >= 0x00800000u)
      u += 0x38000000u;
    else  // subnormal: the fraction as one of 2^-14, less 2^-14
      u = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, u + 0x38800000u) - 0x1p-14f);
    return __builtin_bit_cast(float, sign | u);
  }
};

enum class DType : uint8_t { f32, bf16, f16, f64, i32, i64 };

inline constexpr DType all_dtypes[] = {DType::f32, DType::bf16, DType::f16,
                                       DType::f64, DType::i32,  DType::i64};

// What low precision stores values in: the 16-bit floats.
inline constexpr DType low_dtypes[] = {DType::bf16, DType::f16};

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
    case DType::f16:
      return f(Tag<anneal::f16>{});
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
  constexpr std::string_view names[] = {"f32", "bf16", "f16", "f64", "i32", "i64"};
  return names[static_cast<int>(dtype)];
}

inline bool is_low(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }
inline bool is_f32_or_low(DType dtype) { return dtype == DType::f32 || is_low(dtype); }
inline bool is_float(DType dtype) { return is_f32_or_low(dtype) || dtype == DType::f64; }

}  // namespace anneal
