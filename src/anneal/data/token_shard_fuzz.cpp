#include <algorithm>
#include <cstring>

#include "anneal/base/error.hpp"
#include "anneal/data/token_shard.hpp"

namespace {

using namespace anneal;

void require(bool condition) {
  if (!condition) __builtin_trap();
}

void write(const std::filesystem::path& path, std::string_view content) {
  FileWriter(path).write(content);
}

void read_all(const TokenShard& shard, int64_t vocab_size) {
  std::vector<int32_t> tokens(static_cast<size_t>(shard.size()));
  try {
    shard.check_tokens();
    shard.read(0, tokens);
    for (int32_t token : tokens) require(token >= 0 && token < vocab_size);
  } catch (const FormatError&) {
  }
}

}  // namespace

// The text up to the first zero byte is a sidecar, the rest its shard: refused with a FormatError,
// or all its tokens are below the vocabulary size and its documents in order. Then the rest alone
// as a bare shard.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view json = input.substr(0, input.find('\0'));
  std::string tokens(input.substr(std::min(json.size() + 1, input.size())));
  static const TemporaryDirectory directory;
  auto bin = directory.path() / "fuzz.bin";
  try {
    std::vector<int64_t> offsets;
    ShardInfo info = parse_sidecar(json, "fuzz", &offsets);
    require(static_cast<int64_t>(offsets.size()) == info.documents);
    require(std::is_sorted(offsets.begin(), offsets.end()));
    require(offsets.empty() || (offsets.front() == 0 && offsets.back() <= info.count));
    require(parse_sidecar(json, "again") == info);
    // Now and then the shard is as long as the sidecar says.
    if (size % 2 && info.count < 4096)
      tokens.resize(static_cast<size_t>(info.count) * static_cast<size_t>(info.width));
    write(sidecar_path(bin), json);
    write(bin, tokens);
    TokenShard shard = TokenShard::open(bin);
    require(shard.info() == info && shard.document_offsets() == offsets);
    read_all(shard, info.vocab_size);
  } catch (const FormatError&) {
    write(bin, tokens);
    try {
      auto width = size % 2 ? TokenWidth::u16 : TokenWidth::u32;
      read_all(TokenShard::open_bare(bin, width, 1000), 1000);
    } catch (const FormatError&) {
    }
  }
  return 0;
}
