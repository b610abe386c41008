#pragma once

#include <string>
#include <vector>

#include "anneal/ir/module.hpp"
#include "anneal/model/config.hpp"
#include "anneal/model/head_interleaving.hpp"

namespace anneal {

// A tensor of a Hugging Face model directory as a contiguous part of one of our parameters: packed
// parameters (queries, keys and values; gate and up) hold several, one after the other.
struct HfTensor {
  std::string name;
  int32_t parameter = -1;     // index of a persistent
  int64_t first_element = 0;  // within the parameter
  Shape shape;                // in Hugging Face's layout, which but for the order of rows is ours
  HeadInterleaving interleaving{};
};

// All tensors of the model's directory, in the order of the model. Every element of every parameter
// is in exactly one, adapters aside.
std::vector<HfTensor> hf_tensors(const Module& module, const ModelConfig& config);

}  // namespace anneal
