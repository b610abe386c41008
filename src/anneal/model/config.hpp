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
  int64_t vocab_size = 0;         // 0: the tokenizer's
  double dropout = 0.0;           // of what attention and feed-forward add to the stream
  double attention_dropout = -1;  // of attention weights; negative: as dropout
  double embedding_dropout = -1;  // of what enters the first block; negative: as dropout
  bool tie_embeddings = true;
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;
  std::string init;  // a Hugging Face model directory to start from; "": random

  int64_t head_dim() const { return width / heads; }
  double attention_dropout_rate() const {
    return attention_dropout < 0 ? dropout : attention_dropout;
  }
  double embedding_dropout_rate() const {
    return embedding_dropout < 0 ? dropout : embedding_dropout;
  }
  // Elements of all matrices, once every size is known; in floating point, since sizes that a file
  // or a user made up may not fit 64 bits.
  double matrix_elements() const {
    double w = static_cast<double>(width), f = static_cast<double>(hidden);
    double attention =
        w * static_cast<double>(2 * heads + 2 * kv_heads) * static_cast<double>(head_dim());
    double feed_forward = (family == "gpt2" ? 2 : 3) * w * f;
    double tables = static_cast<double>(vocab_size) * (tie_embeddings ? 1 : 2) +
                    (family == "gpt2" ? static_cast<double>(context) : 0);
    return static_cast<double>(layers) * (attention + feed_forward) + tables * w;
  }
  static constexpr double most_matrix_elements = 0x1p50;
  bool operator==(const ModelConfig&) const = default;
};

}  // namespace anneal
