#include "anneal/checkpoint/gguf_tokenizer.hpp"

namespace anneal {
namespace {

constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The first of a kind is what export calls it.
constexpr PreTokenizer list[] = {
    {.name = "gpt-2", .kind = "gpt2"},
    {.name = "gpt2", .kind = "gpt2"},
    {.name = "smollm", .kind = "digits"},
    {.name = "llama-bpe", .kind = "split", .pattern = llama3_pattern, .ignore_merges = true},
    {.name = "llama3", .kind = "split", .pattern = llama3_pattern, .ignore_merges = true},
    {.name = "llama-v3", .kind = "split", .pattern = llama3_pattern, .ignore_merges = true},
    {.name = "qwen2", .kind = "split", .pattern = qwen2_pattern, .nfc = true},
    {.name = "deepseek-r1-qwen", .kind = "split", .pattern = qwen2_pattern, .nfc = true},
};

}  // namespace

std::span<const PreTokenizer> pre_tokenizers() { return list; }

}  // namespace anneal
