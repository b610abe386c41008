#include "anneal/train/bytes.hpp"

#include <cstdio>

namespace anneal {

int64_t target_bytes(const Batch& batch, const Tokenizer& tokenizer) {
  int64_t bytes = 0;
  for (int32_t target : batch.targets)
    if (target >= 0 && !tokenizer.is_special(target))
      bytes += static_cast<int64_t>(tokenizer.token_bytes(target).size());
  return bytes;
}

std::string format_mib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace anneal
