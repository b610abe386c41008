#include "anneal/checkpoint/gguf_types.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "anneal/base/dtype.hpp"
#include "anneal/base/error.hpp"

namespace anneal {
namespace {

using Type = GgufType;

constexpr GgufTypeInfo types[] = {
    {Type::f32, "f32", 1, 4, true},        {Type::f16, "f16", 1, 2, true},
    {Type::bf16, "bf16", 1, 2, true},      {Type::q8_0, "q8_0", 32, 34, true},
    {Type::q4_0, "q4_0", 32, 18, true},    {Type::q4_1, "q4_1", 32, 20, true},
    {Type::q5_0, "q5_0", 32, 22, true},    {Type::q4_k, "q4_k", 256, 144, true},
    {Type::q6_k, "q6_k", 256, 210, true},  {Type::q5_1, "q5_1", 32, 24, false},
    {Type::q2_k, "q2_k", 256, 84, false},  {Type::q3_k, "q3_k", 256, 110, false},
    {Type::q5_k, "q5_k", 256, 176, false}, {Type::i8, "i8", 1, 1, false},
    {Type::i16, "i16", 1, 2, false},       {Type::i32, "i32", 1, 4, false},
    {Type::i64, "i64", 1, 8, false},       {Type::f64, "f64", 1, 8, false},
};

float half_at(const uint8_t* at) {
  f16 value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<float>(value);
}

template <class T>
void widen(const uint8_t* from, size_t bytes, float* out) {
  for (size_t at = 0; at < bytes; at += sizeof(T), ++out) {
    T value;
    std::memcpy(&value, from + at, sizeof value);
    *out = static_cast<float>(value);
  }
}

// d, then 32 signed bytes.
void block_q8_0(const uint8_t* block, float* out) {
  float d = half_at(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

// d, then 16 bytes, whose low halves are elements 0 to 15.
void block_q4_0(const uint8_t* block, float* out) {
  float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

// d, minimum, then as q4_0.
void block_q4_1(const uint8_t* block, float* out) {
  float d = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block[4 + i] & 15) + minimum;
    out[i + 16] = d * static_cast<float>(block[4 + i] >> 4) + minimum;
  }
}

// d, the fifth bits of all elements, then as q4_0.
void block_q5_0(const uint8_t* block, float* out) {
  float d = half_at(block);
  uint32_t high;
  std::memcpy(&high, block + 2, sizeof high);
  for (int i = 0; i < 16; ++i) {
    int first = (block[6 + i] & 15) | static_cast<int>(high >> i & 1) << 4;
    int second = (block[6 + i] >> 4) | static_cast<int>(high >> (i + 16) & 1) << 4;
    out[i] = d * static_cast<float>(first - 16);
    out[i + 16] = d * static_cast<float>(second - 16);
  }
}

// d, d of the minimums, 8 scales and 8 minimums of 6 bits in 12 bytes, then 128 bytes: each 32 are
// two groups of 32 elements, the low halves and the high ones.
void block_q4_k(const uint8_t* block, float* out) {
  float d = half_at(block), dmin = half_at(block + 2);
  const uint8_t *packed = block + 4, *quants = block + 16;
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    if (group < 4) {
      scale = packed[group] & 63;
      minimum = packed[group + 4] & 63;
    } else {
      scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4;
      minimum = packed[group + 4] >> 4 | (packed[group] >> 6) << 4;
    }
    float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
    const uint8_t* q = quants + group / 2 * 32;
    for (int i = 0; i < 32; ++i)
      *out++ = s * static_cast<float>(group % 2 ? q[i] >> 4 : q[i] & 15) - m;
  }
}

// Low 4 bits of the elements in 128 bytes, high 2 bits in 64, 16 signed scales, d.
void block_q6_k(const uint8_t* block, float* out) {
  float d = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const uint8_t *low = block + 64 * half, *high = block + 128 + 32 * half;
    const uint8_t* scales = block + 192 + 8 * half;
    for (int quarter = 0; quarter < 4; ++quarter)
      for (int i = 0; i < 32; ++i) {
        int four = low[i + 32 * (quarter % 2)] >> (quarter < 2 ? 0 : 4) & 15;
        int two = high[i] >> (2 * quarter) & 3;
        auto scale = static_cast<int8_t>(scales[2 * quarter + i / 16]);
        *out++ = d * static_cast<float>(scale) * static_cast<float>((four | two << 4) - 32);
      }
  }
}

void quantise_q8_0(const float* values, std::byte* out) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
  float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
  f16 scale(d);
  std::memcpy(out, &scale, sizeof scale);
  for (int i = 0; i < 32; ++i) {
    // A NaN, and what the inverse of a subnormal d makes of others, must not leave int8's range.
    float q = std::round(values[i] * inverse);
    q = q >= -127 ? std::min(q, 127.0f) : -127.0f;
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(q));
  }
}

template <class T>
void narrow(std::span<const float> values, std::byte* out) {
  for (float value : values) {
    T result(value);
    std::memcpy(out, &result, sizeof result);
    out += sizeof result;
  }
}

}  // namespace

const GgufTypeInfo* gguf_type_info(GgufType type) {
  auto at = std::ranges::find(types, type, &GgufTypeInfo::type);
  return at == std::end(types) ? nullptr : at;
}

const GgufTypeInfo* find_gguf_type(std::string_view name) {
  auto at = std::ranges::find(types, name, &GgufTypeInfo::name);
  return at == std::end(types) ? nullptr : at;
}

void dequantise(GgufType type, std::span<const std::byte> bytes, float* out) {
  auto from = reinterpret_cast<const uint8_t*>(bytes.data());
  const GgufTypeInfo* info = gguf_type_info(type);
  ANNEAL_ASSERT(info && info->readable &&
                bytes.size() % static_cast<size_t>(info->block_bytes) == 0);
  auto blocks = [&](auto of_block) {
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(info->block_bytes)) {
      of_block(from + at, out);
      out += info->block;
    }
  };
  switch (type) {
    case Type::f32:
      return widen<float>(from, bytes.size(), out);
    case Type::f16:
      return widen<f16>(from, bytes.size(), out);
    case Type::bf16:
      return widen<bf16>(from, bytes.size(), out);
    case Type::q8_0:
      return blocks(block_q8_0);
    case Type::q4_0:
      return blocks(block_q4_0);
    case Type::q4_1:
      return blocks(block_q4_1);
    case Type::q5_0:
      return blocks(block_q5_0);
    case Type::q4_k:
      return blocks(block_q4_k);
    case Type::q6_k:
      return blocks(block_q6_k);
    default:
      ANNEAL_ASSERT(false, "no dequantisation of ", info->name);
  }
}

void quantise(GgufType type, std::span<const float> values, std::byte* out) {
  switch (type) {
    case Type::f32:
      return narrow<float>(values, out);
    case Type::f16:
      return narrow<f16>(values, out);
    case Type::bf16:
      return narrow<bf16>(values, out);
    case Type::q8_0:
      ANNEAL_ASSERT(values.size() % 32 == 0);
      for (size_t i = 0; i < values.size(); i += 32, out += 34) quantise_q8_0(&values[i], out);
      return;
    default:
      ANNEAL_ASSERT(false, "nothing is quantised to type ", static_cast<uint32_t>(type));
  }
}

}  // namespace anneal
