#include "anneal/data/token_shard.hpp"

#include <algorithm>
#include <bit>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are little-endian");

// Calls f with the tokens of the file as a typed span.
template <class F>
auto with_tokens(std::span<const std::byte> bytes, TokenWidth width, F&& f) {
  size_t count = bytes.size() / static_cast<size_t>(width);
  if (width == TokenWidth::u16)
    return f(std::span(reinterpret_cast<const uint16_t*>(bytes.data()), count));
  return f(std::span(reinterpret_cast<const uint32_t*>(bytes.data()), count));
}

}  // namespace

std::string_view name_of(TokenWidth width) {
  return width == TokenWidth::u16 ? "uint16" : "uint32";
}

TokenWidth token_width(std::string_view name) {
  if (name == "uint16") return TokenWidth::u16;
  if (name == "uint32") return TokenWidth::u32;
  throw UsageError(str("[data.dtype] expected \"uint16\" or \"uint32\", got \"", name, "\""));
}

TokenWidth width_for(int64_t vocab_size) {
  return vocab_size <= 65536 ? TokenWidth::u16 : TokenWidth::u32;
}

std::filesystem::path sidecar_path(const std::filesystem::path& bin) {
  auto path = bin;
  return path.replace_extension(".json");
}

std::filesystem::path mask_path(const std::filesystem::path& bin) {
  auto path = bin;
  return path.replace_extension(".mask");
}

TokenShard::TokenShard(const std::filesystem::path& bin, ShardInfo info)
    : path_(bin.string()), info_(std::move(info)), file_(bin) {}

TokenShard TokenShard::open(const std::filesystem::path& bin) {
  auto json = sidecar_path(bin);
  ShardInfo info = parse_sidecar(MappedFile(json).text(), json.string());
  int64_t expected = info.count * static_cast<int64_t>(info.width);
  TokenShard shard(bin, std::move(info));
  auto bytes = static_cast<int64_t>(shard.file_.bytes().size());
  if (bytes != expected)
    throw FormatError(str("[", bin.string(), "] is ", bytes, " bytes, but ", json.string(),
                          " says ", shard.info_.count, " tokens of ", name_of(shard.info_.width),
                          " = ", expected, " bytes (write the shard again)"),
                      ExitCode::usage);
  if (shard.info_.supervised < 0) return shard;
  shard.mask_.emplace(mask_path(bin));
  auto mask_bytes = static_cast<int64_t>(shard.mask_->bytes().size());
  if (mask_bytes != (shard.info_.count + 7) / 8)
    throw FormatError(str("[", mask_path(bin).string(), "] is ", mask_bytes, " bytes, expected ",
                          (shard.info_.count + 7) / 8, ", a bit for each token of ", bin.string(),
                          " (write the shard again)"),
                      ExitCode::usage);
  int64_t marked = 0;
  for (std::byte eight : shard.mask_->bytes())
    marked += std::popcount(static_cast<unsigned char>(eight));
  if (marked != shard.info_.supervised)
    throw FormatError(
        str("[", mask_path(bin).string(), "] marks ", marked, " tokens, but ", json.string(),
            " says ", shard.info_.supervised, " (write the shard again)"),
        ExitCode::usage);
  return shard;
}

TokenShard TokenShard::open_bare(const std::filesystem::path& bin, TokenWidth width,
                                 int64_t vocab_size) {
  int64_t limit = width == TokenWidth::u16 ? 65536 : int64_t{1} << 31;
  if (vocab_size < 1 || vocab_size > limit)
    throw UsageError(str("[model.vocab_size] expected 1 to ", limit, " for tokens of ",
                         name_of(width), ", got ", vocab_size));
  ShardInfo info;
  info.width = width;
  info.vocab_size = vocab_size;
  TokenShard shard(bin, std::move(info));
  size_t bytes = shard.file_.bytes().size();
  if (bytes % static_cast<size_t>(width) != 0)
    throw FormatError(
        str("[", bin.string(), "] is ", bytes, " bytes, not a whole number of tokens of ",
            name_of(width), " (is data.dtype right? is the file cut off?)"),
        ExitCode::usage);
  shard.info_.count = static_cast<int64_t>(bytes / static_cast<size_t>(width));
  return shard;
}

void TokenShard::read(int64_t begin, std::span<int32_t> out) const {
  auto n = static_cast<int64_t>(out.size());
  ANNEAL_ASSERT(begin >= 0 && n <= info_.count && begin <= info_.count - n);
  uint32_t highest = with_tokens(file_.bytes(), info_.width, [&](auto tokens) {
    auto from = tokens.subspan(static_cast<size_t>(begin), out.size());
    uint32_t top = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      uint32_t token = from[i];
      top = std::max(top, token);
      out[i] = static_cast<int32_t>(token);
    }
    return top;
  });
  if (highest >= info_.vocab_size) bad_token(begin, n);
}

void TokenShard::read_supervised(int64_t begin, std::span<uint8_t> out) const {
  auto n = static_cast<int64_t>(out.size());
  ANNEAL_ASSERT(begin >= 0 && n <= info_.count && begin <= info_.count - n);
  if (!mask_) {
    std::fill(out.begin(), out.end(), uint8_t{1});
    return;
  }
  auto bits = mask_->bytes();
  for (size_t i = 0; i < out.size(); ++i) {
    auto at = static_cast<size_t>(begin) + i;
    out[i] = static_cast<uint8_t>(static_cast<unsigned>(bits[at / 8]) >> (at % 8) & 1u);
  }
}

void TokenShard::check_tokens(int64_t limit) const {
  int64_t count = limit < 0 ? info_.count : std::min(limit, info_.count);
  constexpr int64_t block = 1 << 16;
  for (int64_t begin = 0; begin < count; begin += block) {
    int64_t n = std::min(block, count - begin);
    uint32_t highest = with_tokens(file_.bytes(), info_.width, [&](auto tokens) {
      uint32_t top = 0;
      for (uint32_t token : tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(n)))
        top = std::max(top, token);
      return top;
    });
    if (highest >= info_.vocab_size) bad_token(begin, n);
  }
}

void TokenShard::bad_token(int64_t begin, int64_t count) const {
  with_tokens(file_.bytes(), info_.width, [&](auto tokens) {
    for (int64_t i = begin; i < begin + count; ++i)
      if (int64_t token = tokens[static_cast<size_t>(i)]; token >= info_.vocab_size)
        throw FormatError(
            str("[", path_, "] token ", i, " is ", token, ", not below the vocabulary size ",
                info_.vocab_size, " (is the vocabulary size right? is the dtype ",
                name_of(info_.width), "?)"),
            ExitCode::usage);
  });
  throw FormatError(str("[", path_, "] changed while it was read"), ExitCode::failure);
}

std::vector<int64_t> TokenShard::document_offsets() const {
  std::vector<int64_t> offsets;
  if (info_.documents == 0) return offsets;
  auto json = sidecar_path(path_);
  parse_sidecar(MappedFile(json).text(), json.string(), &offsets);
  return offsets;
}

}  // namespace anneal
