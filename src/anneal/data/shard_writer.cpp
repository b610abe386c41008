#include "anneal/data/shard_writer.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <system_error>
#include <vector>

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"

namespace anneal {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;

std::filesystem::path with_suffix(std::filesystem::path path, const char* suffix) {
  path += suffix;
  return path;
}

void rename_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (error) throw Error(str("[", to.string(), "] cannot replace: ", error.message()));
}

}  // namespace

struct ShardWriter::State {
  std::filesystem::path bin, json, mask, bin_tmp, json_tmp, mask_tmp;
  ShardInfo info;
  std::optional<FileWriter> tokens, sidecar, marks;
  std::vector<char> buffer;
  std::string text;               // of the sidecar, not yet written
  std::vector<char> mark_buffer;  // whole bytes, and the one that is being filled
  ContentHash hash, mark_hash;
  bool finished = false;

  void flush_tokens() {
    hash.update(buffer.data(), buffer.size());
    tokens->write(buffer.data(), buffer.size());
    buffer.clear();
  }
  void flush_marks() {
    mark_hash.update(mark_buffer.data(), mark_buffer.size());
    marks->write(mark_buffer.data(), mark_buffer.size());
    mark_buffer.clear();
  }
  void flush_text() {
    sidecar->write(text);
    text.clear();
  }

  template <class T>
  void append(std::span<const int32_t> ids) {
    for (int32_t id : ids) {
      ANNEAL_ASSERT(id >= 0 && id < info.vocab_size, "token ", id, " of ", info.vocab_size);
      if (buffer.size() + sizeof(T) > kBufferBytes) flush_tokens();
      T value = static_cast<T>(id);
      size_t at = buffer.size();
      buffer.resize(at + sizeof(T));
      std::memcpy(buffer.data() + at, &value, sizeof(T));
    }
    info.count += static_cast<int64_t>(ids.size());
  }
};

ShardWriter::ShardWriter(const std::filesystem::path& bin, int64_t vocab_size,
                         std::string tokenizer_hash)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.bin = bin;
  s.json = sidecar_path(bin);
  s.bin_tmp = with_suffix(s.bin, ".tmp");
  s.json_tmp = with_suffix(s.json, ".tmp");
  s.mask = mask_path(bin);
  s.mask_tmp = with_suffix(s.mask, ".tmp");
  s.info.vocab_size = vocab_size;
  s.info.width = width_for(vocab_size);
  for (char c : tokenizer_hash)
    ANNEAL_ASSERT(c > ' ' && c < 0x7f && c != '"' && c != '\\', "tokenizer hash ", tokenizer_hash);
  s.info.tokenizer_hash = std::move(tokenizer_hash);
  s.buffer.reserve(kBufferBytes);
  s.tokens.emplace(s.bin_tmp);
  s.sidecar.emplace(s.json_tmp);
  s.text =
      str("{\"dtype\": \"", name_of(s.info.width), "\",\n \"vocab_size\": ", vocab_size,
          ",\n \"tokenizer_hash\": \"", s.info.tokenizer_hash, "\",\n \"document_offsets\": [");
}

ShardWriter::~ShardWriter() {
  if (!state_->finished) {
    std::error_code ignored;
    std::filesystem::remove(state_->bin_tmp, ignored);
    std::filesystem::remove(state_->json_tmp, ignored);
    std::filesystem::remove(state_->mask_tmp, ignored);
  }
}

void ShardWriter::begin_document() {
  State& s = *state_;
  if (s.info.documents > 0) s.text += s.info.documents % 16 == 0 ? ",\n  " : ", ";
  s.text += std::to_string(s.info.count);
  ++s.info.documents;
  if (s.text.size() >= kBufferBytes) s.flush_text();
}

void ShardWriter::append(std::span<const int32_t> tokens, std::span<const uint8_t> supervised) {
  State& s = *state_;
  ANNEAL_ASSERT(tokens.size() == supervised.size() && (s.marks || s.info.count == 0));
  if (!s.marks) {
    s.marks.emplace(s.mask_tmp);
    s.info.supervised = 0;
  }
  for (size_t i = 0; i < supervised.size(); ++i) {
    int64_t bit = (s.info.count + static_cast<int64_t>(i)) % 8;
    if (bit == 0) {
      if (s.mark_buffer.size() >= kBufferBytes) s.flush_marks();
      s.mark_buffer.push_back(0);
    }
    if (!supervised[i]) continue;
    s.mark_buffer.back() = static_cast<char>(s.mark_buffer.back() | 1 << bit);
    ++s.info.supervised;
  }
  append_tokens(tokens);
}

void ShardWriter::append(std::span<const int32_t> tokens) {
  ANNEAL_ASSERT(!state_->marks, "some tokens have a mark and some have none");
  append_tokens(tokens);
}

void ShardWriter::set_packed(int64_t context) { state_->info.packed = context; }

void ShardWriter::append_tokens(std::span<const int32_t> tokens) {
  if (state_->info.width == TokenWidth::u16)
    state_->append<uint16_t>(tokens);
  else
    state_->append<uint32_t>(tokens);
}

void ShardWriter::count_text(int64_t bytes) {
  state_->info.text_bytes = std::max<int64_t>(0, state_->info.text_bytes) + bytes;
}

int64_t ShardWriter::tokens() const { return state_->info.count; }
int64_t ShardWriter::documents() const { return state_->info.documents; }

ShardInfo ShardWriter::finish() {
  State& s = *state_;
  ANNEAL_ASSERT(!s.finished);
  s.flush_tokens();
  s.info.checksum = s.hash.hex();
  s.text += str("],\n \"count\": ", s.info.count, ",\n ");
  if (s.info.text_bytes >= 0) s.text += str("\"text_bytes\": ", s.info.text_bytes, ",\n ");
  if (s.info.packed > 0) s.text += str("\"packed\": ", s.info.packed, ",\n ");
  if (s.marks) {
    s.flush_marks();
    s.info.mask_checksum = s.mark_hash.hex();
    s.text += str("\"supervised\": ", s.info.supervised, ",\n \"mask_checksum\": \"",
                  s.info.mask_checksum, "\",\n ");
  }
  s.text += str("\"checksum\": \"", s.info.checksum, "\"}\n");
  s.flush_text();
  s.tokens->sync();
  s.sidecar->sync();
  if (s.marks) s.marks->sync();
  bool marked = s.marks.has_value();
  s.tokens.reset();
  s.sidecar.reset();
  s.marks.reset();
  // An old sidecar must not describe the new tokens, nor a new one the old.
  std::error_code ignored;
  std::filesystem::remove(s.json, ignored);
  rename_over(s.bin_tmp, s.bin);
  if (marked)
    rename_over(s.mask_tmp, s.mask);
  else
    std::filesystem::remove(s.mask, ignored);
  rename_over(s.json_tmp, s.json);
  s.finished = true;
  auto folder = s.bin.parent_path();
  sync_path(folder.empty() ? "." : folder);
  return s.info;
}

}  // namespace anneal
