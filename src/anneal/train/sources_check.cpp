#include "anneal/train/sources_check.hpp"

namespace anneal {
namespace {

constexpr const char* tokenizer_name = "tokenizer.json";

}  // namespace

void check_same_tokenizer(const ModelDirectory& origin, const PreparedData& data) {
  if (!origin.tokenizer || !data.tokenizer) return;
  if (origin.tokenizer->hash() == data.tokenizer->hash()) return;
  throw UsageError(
      str("[data.tokenizer] is not the tokenizer that the weights of model.init were "
          "trained with (set data.tokenizer = \"",
          (origin.tokens / tokenizer_name).string(), "\")"));
}

void check_same_sources(const std::filesystem::path& checkpoint, const RunState& state,
                        const PreparedData& data, const std::string& base_checksum) {
  constexpr auto fix = " (bring the texts back as they were, or start a new run in another folder)";
  if (data.tokenizer && CheckpointReader(checkpoint).has(tokenizer_name) &&
      Tokenizer::load(checkpoint / tokenizer_name).hash() != data.tokenizer->hash())
    throw UsageError(
        str("[data.tokenizer] differs from the tokenizer that the checkpoint was made with", fix));
  if (state.data_tokens >= 0 && state.data_tokens != data.train.tokens())
    throw UsageError(str("[data.train] holds ", data.train.tokens(),
                         " tokens, and when the checkpoint was made ", state.data_tokens, fix));
  std::string checksum = data.train.checksum();
  if (!state.data_checksum.empty() && !checksum.empty() && state.data_checksum != checksum)
    throw UsageError(str("[data.train] holds other text than when the checkpoint was made", fix));
  if (!state.base_checksum.empty() && state.base_checksum != base_checksum)
    throw UsageError(
        "[model.init] holds other weights than those that the adapters were made for (bring them "
        "back, or start a new run in another folder)");
}

}  // namespace anneal
