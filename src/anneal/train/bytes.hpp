#pragma once

#include <string>

#include "anneal/data/loader.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {

// Bytes of text that the counted targets of a batch stand for; special tokens stand for none.
int64_t target_bytes(const Batch& batch, const Tokenizer& tokenizer);

// "123.4 MiB"
std::string format_mib(int64_t bytes);

}  // namespace anneal
