#include "anneal/data/tokenizer/decoder.hpp"

#include <charconv>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/normalizer.hpp"
#include "anneal/data/tokenizer/pre_tokenizer.hpp"

namespace anneal::tokenizing {
namespace {

// The byte of a token <0xNN>; others stay as they are.
std::string from_byte_token(std::string token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return token;
  unsigned byte = 0;
  auto [stop, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  if (error != std::errc{} || stop != token.data() + 5) return token;
  return std::string(1, static_cast<char>(byte));
}

std::string strip(std::string text, const std::string& content, int64_t start, int64_t stop) {
  size_t begin = 0, end = text.size();
  for (; start > 0 && text.compare(begin, content.size(), content) == 0; --start)
    begin += content.size();
  for (; stop > 0 && end >= begin + content.size() &&
         text.compare(end - content.size(), content.size(), content) == 0;
       --stop)
    end -= content.size();
  return text.substr(begin, end - begin);
}

// At the start of a text the space that Metaspace put in front is none.
std::string from_metaspace(const std::string& token, const std::string& mark, bool drop) {
  std::string out;
  for (size_t at = 0; at < token.size();) {
    if (token.compare(at, mark.size(), mark) == 0) {
      if (!drop) out += ' ';
      at += mark.size();
    } else {
      out += token[at++];
    }
  }
  return out;
}

}  // namespace

class Decoder::Reader {
 public:
  void read(const JsonValue& value) {
    std::string type = value.text("type");
    if (type == "Sequence") {
      JsonValue list = value.array("decoders");
      for (size_t i = 0; i < list.size(); ++i) read(list.item(i));
      return;
    }
    if (decoder_.byte_level_ || (type == "ByteLevel" && steps_ > 0))
      value.fail("ByteLevel is supported as the only decoder");
    ++steps_;
    if (type == "ByteLevel") {
      decoder_.byte_level_ = true;
    } else if (type == "Fuse") {
      fused_ = true;
    } else if (type == "Strip") {
      read_strip(value);
    } else if (type == "ByteFallback" || type == "Replace" || type == "Metaspace") {
      if (fused_) value.fail(str(type, " after Fuse is not supported"));
      read_each(type, value);
    } else {
      value.find("type")->fail(
          str("the decoder ", shown(type),
              " is not supported; supported are Sequence, ByteLevel, ByteFallback, Fuse, "
              "Metaspace, Replace and Strip"));
    }
  }

  Decoder finish() { return std::move(decoder_); }

 private:
  void read_each(const std::string& type, const JsonValue& value) {
    if (type == "ByteFallback") {
      decoder_.each_.push_back(
          [](std::string token, bool) { return from_byte_token(std::move(token)); });
    } else if (type == "Replace") {
      Normalizer replace = replace_normalizer(read_pattern(value), value.text("content"));
      // A token that is a byte of a longer character is nothing that a pattern could look for.
      decoder_.each_.push_back([replace](std::string token, bool) {
        bool byte = token.size() == 1 && (token[0] & 0x80);
        return byte ? token : replace(token);
      });
    } else {
      std::string mark = read_metaspace_replacement(value);
      bool drop = read_prepend_scheme(value) != PrependScheme::never;
      decoder_.first_differs_ |= drop;
      decoder_.each_.push_back([mark, drop](std::string token, bool first) {
        return from_metaspace(token, mark, drop && first);
      });
    }
  }

  void read_strip(const JsonValue& value) {
    std::string content = value.text("content");
    if (content.empty()) value.fail("content is empty");
    constexpr int64_t most = 1 << 20;
    int64_t start = value.integer("start", 0, 0, most), stop = value.integer("stop", 0, 0, most);
    if (fused_) {
      decoder_.all_.push_back([content, start, stop](std::string text) {
        return strip(std::move(text), content, start, stop);
      });
    } else {
      decoder_.each_.push_back([content, start, stop](std::string token, bool) {
        return strip(std::move(token), content, start, stop);
      });
    }
  }

  Decoder decoder_;
  bool fused_ = false;
  int steps_ = 0;
};

Decoder Decoder::read(const JsonValue& value) {
  Reader reader;
  reader.read(value);
  return reader.finish();
}

}  // namespace anneal::tokenizing
