#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/data/token_shard.hpp"

namespace anneal {
namespace {

constexpr int64_t kMaxVocabulary = int64_t{1} << 31;  // tokens are int32 in a batch

// Reads the fields of a sidecar as they are parsed: a file of millions of offsets is never built as
// a tree. Members of unknown fields are passed over.
class SidecarHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  SidecarHandler(ShardInfo& info, std::vector<int64_t>* offsets) : info_(info), offsets_(offsets) {}

  std::string error;
  int64_t last_offset = 0;
  bool has(const char* field) const {
    return std::find(seen_.begin(), seen_.end(), field) != seen_.end();
  }

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a boolean"); }
  bool number_float(number_float_t, const string_t& s) override { return scalar(s); }
  bool binary(binary_t&) override { return scalar("binary"); }
  bool number_integer(number_integer_t n) override { return integer(n); }
  bool number_unsigned(number_unsigned_t n) override {
    if (n > uint64_t{std::numeric_limits<int64_t>::max()}) return scalar(std::to_string(n));
    return integer(static_cast<int64_t>(n));
  }

  bool string(string_t& s) override {
    if (depth_ != 1) return scalar("a string");
    if (field_ == "dtype") {
      if (s != "uint16" && s != "uint32")
        return fail(str("dtype: expected \"uint16\" or \"uint32\", got \"", s.substr(0, 40), "\""));
      info_.width = s == "uint16" ? TokenWidth::u16 : TokenWidth::u32;
      return true;
    }
    for (auto [name, target] : {std::pair("tokenizer_hash", &info_.tokenizer_hash),
                                std::pair("checksum", &info_.checksum),
                                std::pair("mask_checksum", &info_.mask_checksum)}) {
      if (field_ != name) continue;
      if (s.size() > 128) return fail(field_ + " is longer than 128 bytes");
      *target = s;
      return true;
    }
    return scalar("a string");
  }

  bool start_object(size_t) override {
    if (depth_ > 0 && !scalar("an object")) return false;
    ++depth_;
    is_object = true;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == 0) return fail("expected an object, got an array");
    if (depth_ == 1 && field_ == "document_offsets")
      in_offsets_ = true;
    else if (!scalar("an array"))
      return false;
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool end_array() override {
    if (--depth_ == 1) in_offsets_ = false;
    return true;
  }

  bool key(string_t& k) override {
    if (depth_ != 1) return true;
    field_ = k;
    for (const char* known : {"dtype", "count", "vocab_size", "tokenizer_hash", "document_offsets",
                              "text_bytes", "checksum", "supervised", "mask_checksum", "packed"}) {
      if (k != known) continue;
      if (has(known)) return fail(k + " stands twice");
      seen_.push_back(k);
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    return fail(str("not valid JSON at byte ", position));
  }

  bool is_object = false;

 private:
  bool fail(std::string message) {
    error = std::move(message);
    return false;
  }

  bool known() const { return has(field_.c_str()); }

  // A value that no known field takes.
  bool scalar(const std::string& what) {
    if (depth_ == 0) return fail("expected an object, got " + what);
    if (in_offsets_ || (depth_ == 1 && known()))
      return fail(str(field_, ": unexpected ", what.substr(0, 40)));
    return true;
  }

  bool integer(int64_t n) {
    if (in_offsets_ && depth_ == 2) {
      if (info_.documents == 0 ? n != 0 : n < last_offset)
        return fail(str("document_offsets: entry ", info_.documents, " is ", n, ", expected ",
                        info_.documents == 0 ? "0" : str("at least ", last_offset)));
      last_offset = n;
      ++info_.documents;
      if (offsets_) offsets_->push_back(n);
      return true;
    }
    if (depth_ == 1 && field_ == "count") return set(info_.count, n, 0, int64_t{1} << 60);
    if (depth_ == 1 && field_ == "vocab_size") return set(info_.vocab_size, n, 1, kMaxVocabulary);
    if (depth_ == 1 && field_ == "text_bytes") return set(info_.text_bytes, n, 0, int64_t{1} << 60);
    if (depth_ == 1 && field_ == "supervised") return set(info_.supervised, n, 0, int64_t{1} << 60);
    if (depth_ == 1 && field_ == "packed") return set(info_.packed, n, 1, int64_t{1} << 60);
    return scalar(std::to_string(n));
  }

  bool set(int64_t& target, int64_t n, int64_t low, int64_t high) {
    if (n < low || n > high)
      return fail(str(field_, ": expected ", low, " to ", high, ", got ", n));
    target = n;
    return true;
  }

  ShardInfo& info_;
  std::vector<int64_t>* offsets_;
  std::vector<std::string> seen_;
  std::string field_;
  int64_t depth_ = 0;
  bool in_offsets_ = false;
};

}  // namespace

ShardInfo parse_sidecar(std::string_view json, const std::string& where,
                        std::vector<int64_t>* offsets) {
  ShardInfo info;
  SidecarHandler handler(info, offsets);
  nlohmann::json::sax_parse(json.begin(), json.end(), &handler);
  std::string error = handler.error;
  for (const char* field : {"dtype", "count", "vocab_size"})
    if (error.empty() && !handler.has(field)) error = str(field, " is missing");
  int64_t limit = info.width == TokenWidth::u16 ? 65536 : kMaxVocabulary;
  if (error.empty() && info.vocab_size > limit)
    error = str("vocab_size ", info.vocab_size, " does not fit ", name_of(info.width));
  if (error.empty() && handler.last_offset > info.count)
    error = str("document_offsets reach ", handler.last_offset, ", beyond count ", info.count);
  if (!error.empty())
    throw FormatError(str("[", where, "] ", error,
                          " (the sidecar of a token shard is an object "
                          "with dtype, count, vocab_size, tokenizer_hash, document_offsets)"),
                      ExitCode::usage);
  return info;
}

}  // namespace anneal
