#include <vector>

#include "anneal/checkpoint/safetensors.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"

// Any bytes are either refused with a FormatError or a file all of whose tensors can be read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace anneal;
  try {
    SafetensorsFile file({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    std::vector<std::byte> out(2 * size + 8);  // F16 to FP32 doubles
    for (const auto& entry : file.entries()) {
      unsigned sum = 0;
      for (std::byte b : file.bytes(entry.name)) sum += std::to_integer<unsigned>(b);
      out[0] = static_cast<std::byte>(sum);
      for (DType dtype : all_dtypes) {
        try {
          file.shape(entry.name);
          file.read(entry.name, dtype, out.data());
        } catch (const FormatError&) {
        }
      }
    }
  } catch (const FormatError&) {
  }
  return 0;
}
