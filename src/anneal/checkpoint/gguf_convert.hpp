#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "anneal/base/dtype.hpp"
#include "anneal/checkpoint/gguf_types.hpp"

namespace anneal {

struct GgufReport {
  int64_t tensors = 0;
  int64_t bytes = 0;                  // of the weights written
  std::vector<std::string> warnings;  // each a sentence
};

// Writes a GGUF file as a Hugging Face model directory: weights in `dtype` (f32, bf16 or f16),
// config, tokenizer, chat template. The directory is made; files of the same names are replaced.
// One tensor at a time is in memory. Throws FormatError for a damaged file and UsageError for a
// model that Anneal does not have.
GgufReport import_gguf(const std::filesystem::path& file, const std::filesystem::path& directory,
                       DType dtype);

// Writes a model directory as a GGUF file whose matrices are of `type` (f32, f16, bf16, q8_0);
// vectors are FP32, and rows that q8_0's blocks do not divide are f16.
GgufReport export_gguf(const std::filesystem::path& directory, const std::filesystem::path& file,
                       GgufType type);

}  // namespace anneal
