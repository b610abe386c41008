#pragma once

#include <vector>

#include "anneal/ir/module.hpp"
#include "anneal/model/config.hpp"

namespace anneal {

// Which programs of a language model are wanted, and for which shapes.
struct LanguageModelOptions {
  int64_t micro_batch = 1;  // B of training and evaluation
  int64_t sequence = 0;     // T of training and evaluation; 0: the model's context
  bool train = true;        // "forward": inputs tokens, targets, positions, inv_valid, first_sample
  bool evaluate = true;     // "evaluate": the same without first_sample and dropout
  // "generate.N" for chunks of N tokens: inputs tokens, positions [1,N], start (tokens before the
  // chunk), row (the position in the chunk whose logits are wanted); output logits [1,1,V]. The
  // key and value caches are persistent.
  bool generate = false;
  // "score.T" for each of these T: "evaluate" of one sequence of T tokens.
  std::vector<int64_t> score_lengths{};
  uint64_t seed = 1;           // of dropout masks
  double label_smoothing = 0;  // of "forward", see head_loss; evaluation has the plain loss
  double z_loss = 0;
  // A token attends to its own document only: positions count from the start of a document. Throws
  // UsageError for families with mixers that see further.
  bool isolate_documents = false;
};

// Chunk lengths of the generation programs, longest first; those beyond the context are left out.
std::vector<int64_t> generation_chunks(const ModelConfig& config);

// "forward" and "evaluate" have the outputs loss = Σ nll · inv_valid over targets that are not −1
// ("forward" with label smoothing and z-loss), and correct = how many of those the arg-max
// predicts.
Module build_language_model(const ModelConfig& config, const LanguageModelOptions& options);

}  // namespace anneal
