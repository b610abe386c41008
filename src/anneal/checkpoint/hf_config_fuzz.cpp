#include "anneal/base/error.hpp"
#include "anneal/checkpoint/hf_config.hpp"

namespace {

void require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

// Any text is either refused with an Error or a model whose sizes can be computed with, which
// config.json can hold.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace anneal;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  HfTokenIds ids;
  try {
    ids = token_ids_from_hf(text, "fuzz");
    require(token_ids_from_hf(generation_config_json(ids), "again") == ids);
  } catch (const FormatError&) {
  }
  try {
    ModelConfig config = model_config_from_hf(text, "fuzz");
    require(config.layers > 0 && config.heads > 0 && config.kv_heads > 0 && config.hidden > 0);
    require(config.context > 0 && config.vocab_size > 0);
    require(config.head_width > 0 || config.width == config.heads * config.head_dim());
    require(config.matrix_elements() <= ModelConfig::most_matrix_elements);
    require(model_config_from_hf(hf_config_json(config, ids), "again") == config);
  } catch (const FormatError&) {
  } catch (const UsageError&) {
  }
  return 0;
}
