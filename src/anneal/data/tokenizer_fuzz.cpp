#include <cstddef>
#include <cstdint>
#include <string>

#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/splitter.hpp"

namespace {

using anneal::Tokenizer;

const Tokenizer& trained() {
  static const Tokenizer tokenizer = [] {
    anneal::BpeTrainer trainer({.vocab_size = 280, .threads = 1});
    trainer.feed(
        "the quick brown fox jumps over the lazy dog; \"the\\dog\" thinks the fox is quick and "
        "jumpy");
    return trainer.train();
  }();
  return tokenizer;
}

void require(bool condition) {
  if (!condition) __builtin_trap();
}

void check_round_trip(const Tokenizer& tokenizer, std::string_view text) {
  require(tokenizer.decode(tokenizer.encode(text)) == text);
  require(tokenizer.decode(tokenizer.encode_with_special(text)) == text);
  size_t cut = tokenizer.last_cut(text);
  std::vector<int32_t> ids = tokenizer.encode(text.substr(0, cut));
  for (int32_t id : tokenizer.encode(text.substr(cut))) ids.push_back(id);
  require(ids == tokenizer.encode(text));
}

void check_splitter(std::string_view text) {
  using anneal::bpe::Splitter;
  Splitter fast(text), pattern(text, Splitter::Method::pattern_only);
  for (bool more = true; more;) {
    std::string_view word = fast.next();
    require(word == pattern.next());
    more = !word.empty();
  }
}

}  // namespace

// The first byte chooses: the rest is a tokenizer.json, or it replaces a part of a good one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 4, size - 4);
  check_splitter(text);
  check_round_trip(trained(), text);
  std::string json(text);
  if (data[0] % 2) {
    json = trained().to_json();
    size_t begin = (data[1] | data[2] << 8) % json.size();
    json.replace(begin, data[3] % 64, text);
  }
  try {
    Tokenizer tokenizer = Tokenizer::from_json(json, "fuzz");
    check_round_trip(tokenizer, text);
    require(Tokenizer::from_json(tokenizer.to_json(), "again").to_json() == tokenizer.to_json());
  } catch (const anneal::FormatError&) {
  }
  return 0;
}
