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

// Good files of other kinds, so that damage to them reaches their readers.
constexpr const char* kFiles[] = {
    R"({"added_tokens": [{"id": 0, "content": "<unk>", "special": true},
        {"id": 6, "content": "<m>", "lstrip": true, "rstrip": true, "single_word": true}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
          {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "NFKC"},
          {"type": "Strip"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Nmt"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<unk>"}},
          {"Sequence": {"id": "A"}}], "special_tokens": {"<unk>": {"ids": [0]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "content": " ",
          "pattern": {"String": "▁"}}, {"type": "ByteFallback"}, {"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
          "vocab": {"<unk>": 0, "<0x61>": 1, "b": 2, "c": 3, "bc": 4, "▁": 5},
          "merges": ["b c"]}})",
    R"({"normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|[^a-c]+|\\p{L}"},
           "behavior": "MergedWithPrevious", "invert": false},
          {"type": "Digits", "individual_digits": true}, {"type": "Punctuation"},
          {"type": "Whitespace"}, {"type": "Metaspace", "replacement": "▁",
           "prepend_scheme": "first", "split": true}]},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": true,
          "vocab": [["<unk>", 0], ["▁", -2], ["a", -1.5], ["ab", -2.5], ["<0xFF>", -9]]}})",
};

void require(bool condition) {
  if (!condition) __builtin_trap();
}

void check_round_trip(const Tokenizer& tokenizer, std::string_view text) {
  require(tokenizer.decode(tokenizer.encode(text)) == text);
  require(tokenizer.decode(tokenizer.encode(text, {.read_special = true})) == text);
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
  if (data[0] % 4 > 0) {
    json = data[0] % 4 == 1 ? trained().to_json() : kFiles[data[0] % 4 - 2];
    size_t begin = (data[1] | data[2] << 8) % json.size();
    json.replace(begin, data[3] % 64, text);
  }
  try {
    Tokenizer tokenizer = Tokenizer::from_json(json, "fuzz");
    require(Tokenizer::from_json(tokenizer.to_json(), "again").to_json() == tokenizer.to_json());
    for (bool special : {false, true}) {
      auto ids = tokenizer.encode(text, {.read_special = special, .add_special = special});
      (void)tokenizer.decode(ids, special);
      for (int32_t id : ids) require(id < tokenizer.vocab_size());
    }
  } catch (const anneal::Error&) {
    // Refused, or a text that the tokenizer has no token for.
  }
  return 0;
}
