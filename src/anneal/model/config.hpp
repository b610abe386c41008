#pragma once

#include <cstdint>
#include <string>

namespace anneal {

// What a model is, whatever it is trained on. Zero stands for "derive it" where a comment says so.
struct ModelConfig {
  std::string family = "gpt2";  // gpt2 | llama
  int64_t layers = 6;
  int64_t heads = 6;
  int64_t kv_heads = 0;  // 0: heads; gpt2 has no other choice
  int64_t width = 384;   // residual width
  int64_t hidden = 0;    // feed-forward width; 0: gpt2's 4·width; llama must say it
  int64_t context = 256;
  int64_t vocab_size = 0;  // 0: the tokenizer's
  double dropout = 0.0;
  bool tie_embeddings = true;
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;
  std::string init;  // a Hugging Face model directory to start from; "": random

  int64_t head_dim() const { return width / heads; }
  bool operator==(const ModelConfig&) const = default;
};

}  // namespace anneal
