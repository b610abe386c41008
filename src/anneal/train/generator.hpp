#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "anneal/model/config.hpp"
#include "anneal/runtime/executable.hpp"
#include "anneal/train/sampler.hpp"

namespace anneal {

// Runs the generation programs of a session: the prompt in chunks, then token by token over the
// key and value caches.
class Generator {
 public:
  // The session has "generate.N" programs for this model.
  Generator(Session& session, const ModelConfig& config);

  // Forgets everything read so far.
  void reset();
  // Reads tokens on top of what was read before and returns the logits after the last one, valid
  // until the next call. Where the context is full, the older half is forgotten and the rest is
  // read again. Throws Error for an empty list or an id outside the vocabulary.
  std::span<const float> read(std::span<const int32_t> tokens);
  // Tokens in the caches.
  int64_t length() const { return static_cast<int64_t>(history_.size()); }

 private:
  std::span<const float> read_chunk(int64_t chunk, const int32_t* tokens);

  struct ChunkProgram {
    int64_t length;
    Executable* program;
  };
  int64_t context_;
  int64_t vocab_size_;
  std::vector<ChunkProgram> programs_;
  std::vector<int32_t> history_;  // what the caches hold
  int64_t read_ = 0;
};

struct GenerationResult {
  std::vector<int32_t> tokens;  // without the prompt and the end token
  bool ended = false;           // by an end token rather than by max_tokens
  double prompt_seconds = 0;
  double generation_seconds = 0;
};

// Continues `prompt` by up to max_tokens tokens, calling on_token for each; on_token returns false
// to stop. Tokens of `end_ids` end the text.
GenerationResult generate(Generator& generator, std::span<const int32_t> prompt, int64_t max_tokens,
                          const SamplingOptions& sampling, int64_t vocab_size,
                          std::span<const int64_t> end_ids,
                          const std::function<bool(int32_t)>& on_token);

}  // namespace anneal
