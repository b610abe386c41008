#pragma once

#include <span>
#include <string>
#include <vector>

#include "anneal/checkpoint/gguf.hpp"
#include "anneal/checkpoint/gguf_writer.hpp"
#include "anneal/model/config.hpp"
#include "anneal/model/head_interleaving.hpp"

namespace anneal {

// Between our models and llama.cpp's: which tensor is which, and what the metadata says of sizes.

// A tensor of the model under both its names. A matrix may lie differently in the two files.
struct GgufTensor {
  std::string gguf_name, hf_name;
  Shape hf_shape;
  bool transposed = false;   // GPT-2's Conv1D weights are Linear ones in GGUF
  int64_t turned_heads = 0;  // > 0: rows of rotary pairs are neighbours in GGUF, heads of them
  HeadInterleaving interleaving{};  // of Hugging Face's rows; GGUF has ours
  bool is_vector() const { return hf_shape.rank() == 1; }
  Shape gguf_shape() const;
};

// All tensors of a model of this config, in the order of the model.
std::vector<GgufTensor> gguf_tensors(const ModelConfig& config);

// Moves the elements between the two layouts.
void to_gguf_layout(const GgufTensor& tensor, std::span<const float> hf, std::span<float> gguf);
void to_hf_layout(const GgufTensor& tensor, std::span<const float> gguf, std::span<float> hf);

// The model that the metadata describes. Throws UsageError for what Anneal's models don't do and
// FormatError for what cannot be, naming the key.
ModelConfig model_config_from_gguf(const GgufFile& file);

// general.architecture and the sizes.
void add_model_metadata(const ModelConfig& config, GgufWriter& out);

}  // namespace anneal
