#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/checkpoint/safetensors.hpp"
#include "anneal/model/config.hpp"
#include "anneal/model/hf_names.hpp"

namespace anneal {

inline constexpr std::string_view weight_index_name = "model.safetensors.index.json";

// The names of the files that the text of a model.safetensors.index.json spreads the weights over,
// each once, sorted; all are plain names. Throws FormatError.
std::vector<std::string> files_of_weight_index(std::string_view json, const std::string& where);

// Reads the tensor that a file has under `name` into its part of a parameter of type `dtype`, f32
// or a 16-bit float.
void read_into(const SafetensorsFile& file, std::string_view name, const HfTensor& tensor,
               DType dtype, std::byte* parameter);

// The weights of a Hugging Face model directory, mapped: model.safetensors, or the files that
// model.safetensors.index.json names.
class ModelWeights {
 public:
  explicit ModelWeights(const std::filesystem::path& dir);

  struct Tensor {
    const SafetensorsFile* file = nullptr;
    const SafetensorsEntry* entry = nullptr;
  };

  const std::string& where() const { return where_; }
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const { return files_; }

  // The tensor that a model has under this name, whether or not the file was saved from the model
  // without its head, whose names lack the leading "transformer.", "model." or
  // "gpt_neox.".
  Tensor find(std::string_view name) const;

  // Throws FormatError unless every one of `wanted` is there in its shape and everything else is
  // known to hold nothing that a model of this config needs: masks, rotary frequencies, a second
  // copy of a tied head.
  void expect(const std::vector<HfTensor>& wanted, const ModelConfig& config) const;

  void read_as_f32(std::string_view name, float* out) const;

  // Reads a tensor to its place in the parameter that begins at `parameter`, in our order.
  void read_into(const HfTensor& tensor, DType dtype, std::byte* parameter) const;

 private:
  std::string where_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
};

}  // namespace anneal
