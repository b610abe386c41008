#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/checkpoint/gguf_tokenizer.hpp"

// Any bytes are either refused with an Error or a file all of whose tensors, sizes and tokens can
// be read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace anneal;
  try {
    GgufFile file({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    for (const auto& entry : file.entries()) {
      // A block of 18 bytes is 32 elements: tensors may overlap, but none is larger than the file.
      std::vector<float> out(static_cast<size_t>(entry.shape.elements()));
      try {
        file.read_as_f32(entry, out.data());
      } catch (const FormatError&) {
      }
    }
    for (const auto& [key, value] : file.metadata()) {
      value.integer(), value.number(), value.boolean(), value.text();
      value.texts(), value.numbers();
    }
    try {
      tokenizer_from_gguf(file, int64_t{1} << 31);
    } catch (const Error&) {
    }
    model_config_from_gguf(file);
  } catch (const Error&) {
  }
  return 0;
}
