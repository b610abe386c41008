#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace anneal {

// The types of tensors in GGUF files, as ggml numbers them. Quantised ones come in blocks of
// elements along the innermost dimension.
enum class GgufType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  bf16 = 30,
};

struct GgufTypeInfo {
  GgufType type;
  std::string_view name;
  int64_t block;        // elements
  int64_t block_bytes;  // that they take
  bool readable;        // whether dequantise() knows it
};

// Null for a number that is no known type.
const GgufTypeInfo* gguf_type_info(GgufType type);
// The type of this name: "f32", "q8_0", …; null if there is none.
const GgufTypeInfo* find_gguf_type(std::string_view name);

// Turns whole blocks into FP32. `bytes` is a multiple of the type's block_bytes and may lie
// unaligned; `out` has room for all elements. The type must be readable.
void dequantise(GgufType type, std::span<const std::byte> bytes, float* out);

// Turns FP32 into f32, f16, bf16 or q8_0: the bytes of `values`, whose number is a multiple of the
// type's block. q8_0 rounds as llama.cpp does: the largest magnitude of a block becomes 127.
void quantise(GgufType type, std::span<const float> values, std::byte* out);

}  // namespace anneal
