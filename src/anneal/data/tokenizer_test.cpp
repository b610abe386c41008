#include "anneal/data/tokenizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer/vocabulary.hpp"

namespace anneal {
namespace {

using Ids = std::vector<int32_t>;

const std::string kProse =
    "It was the best of times, it was the worst of times; it wasn't 1859, they'll say: "
    "\"the café—the naïve 日本語 café\", it was the age of wisdom.\n\n\tthe the  them then there\n";

Tokenizer small() {
  static const Tokenizer tokenizer = [] {
    BpeTrainer trainer({.vocab_size = 320, .threads = 1});
    trainer.feed(kProse);
    return trainer.train();
  }();
  return tokenizer;
}

// A vocabulary with the merges aa, aaaa, …, 2^12 letters, and some that compete with them.
Tokenizer powers() {
  std::string json = Tokenizer::bytes().to_json(), vocab, merges;
  int id = 257;
  auto merge = [&](const std::string& left, const std::string& right) {
    vocab += ",\n\"" + left + right + "\": " + std::to_string(id++);
    merges += (merges.empty() ? "\"" : ",\n\"") + left + " " + right + "\"";
  };
  merge("a", "b"), merge("a", "a"), merge("b", "aa"), merge("ab", "aa");
  for (int n = 2; n < 4096; n *= 2) merge(std::string(n, 'a'), std::string(n, 'a'));
  std::string last = "\"<|endoftext|>\": 256";
  json.insert(json.find(last) + last.size(), vocab);
  json.replace(json.find("\"merges\": []"), 12, "\"merges\": [" + merges + "]");
  return Tokenizer::from_json(json, "test");
}

// Encoding as its definition says: always joins the leftmost of the pairs with the lowest rank.
Ids encode_naively(const Tokenizer& tokenizer,
                   const std::vector<std::pair<std::string, std::string>>& merges,
                   const std::string& word) {
  std::vector<std::string> parts;
  for (char c : word) parts.emplace_back(1, c);
  for (;;) {
    size_t best = merges.size(), at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      size_t rank = std::find(merges.begin(), merges.end(), std::pair(parts[i], parts[i + 1])) -
                    merges.begin();
      if (rank < best) best = rank, at = i;
    }
    if (best == merges.size()) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + at + 1);
  }
  Ids ids;
  for (const std::string& part : parts)
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
      if (tokenizer.token_bytes(id) == part) ids.push_back(id);
  return ids;
}

TEST(Tokenizer, BytesAreTheirOwnIds) {
  Tokenizer bytes = Tokenizer::bytes();
  EXPECT_EQ(bytes.vocab_size(), 257);
  EXPECT_EQ(bytes.end_of_text(), 256);
  EXPECT_EQ(bytes.encode(std::string_view("a\0\xff ", 4)), (Ids{'a', 0, 255, ' '}));
  EXPECT_EQ(bytes.token_bytes(200), "\xc8");
  EXPECT_EQ(bytes.encode("x<|endoftext|>y", {.read_special = true}), (Ids{'x', 256, 'y'}));
  EXPECT_EQ(bytes.encode("<|endoftext|>").size(), 13u);
}

TEST(Tokenizer, RoundTripOfEveryByteString) {
  for (const Tokenizer& tokenizer : {Tokenizer::bytes(), small(), powers()}) {
    for (int n = 0; n < 65536 + 256; ++n) {
      std::string text(1, static_cast<char>(n));
      if (n >= 256) text += static_cast<char>((n - 256) >> 8);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << n;
    }
    for (uint64_t seed = 0; seed < 500; ++seed) {
      std::string text;
      for (uint64_t i = 0; i < seed % 97; ++i) {
        auto r = philox(seed, i, 0);
        if (r[0] % 4)
          text += static_cast<char>(r[1]);
        else
          text += kProse.substr(r[1] % kProse.size(), r[2] % 9);
      }
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << seed;
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, {.read_special = true})), text) << seed;
    }
  }
}

TEST(Tokenizer, MergesInTheOrderOfLearning) {
  Tokenizer tokenizer = powers();
  std::vector<std::pair<std::string, std::string>> merges{
      {"a", "b"}, {"a", "a"}, {"b", "aa"}, {"ab", "aa"}};
  for (int n = 2; n < 4096; n *= 2) merges.push_back({std::string(n, 'a'), std::string(n, 'a')});
  // Words on both sides of the length at which the method changes.
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::string word;
    size_t length = 1 + philox(seed, 0, 0)[0] % (3 * bpe::kShortWord);
    for (size_t i = 0; i < length; ++i) word += philox(seed, i, 1)[0] % 5 ? 'a' : 'b';
    ASSERT_EQ(tokenizer.encode(word), encode_naively(tokenizer, merges, word)) << word;
  }
}

TEST(Tokenizer, LongWordsAreNotQuadratic) {
  // Two million letters: a quadratic method would take hours.
  std::string text(size_t{1} << 21, 'a');
  Ids ids = powers().encode(text);
  EXPECT_EQ(ids.size(), text.size() / 4096);
  EXPECT_EQ(powers().decode(ids), text);
  std::string mixed;
  for (uint64_t i = 0; mixed.size() < (1 << 20); ++i) mixed += "abcdefgh"[philox(1, i, 0)[0] % 8];
  EXPECT_EQ(small().decode(small().encode(mixed)), mixed);
}

TEST(Tokenizer, SpecialTokens) {
  Tokenizer tokenizer = small();
  std::string text = "the<|endoftext|><|endoftext|> the<|endoftex";
  Ids plain = tokenizer.encode(text), special = tokenizer.encode(text, {.read_special = true});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 319), 0);
  EXPECT_EQ(std::count(special.begin(), special.end(), 319), 2);
  EXPECT_EQ(tokenizer.decode(special), text);
  EXPECT_EQ(tokenizer.decode(special, true), "the the<|endoftex");
  EXPECT_TRUE(tokenizer.is_special(319));
  EXPECT_FALSE(tokenizer.is_special(318));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.is_special(320));
}

TEST(Tokenizer, RefusesUnknownIds) {
  for (int32_t id : {-1, 320, INT32_MAX, INT32_MIN}) {
    EXPECT_THROW((void)small().token_bytes(id), Error);
    EXPECT_THROW((void)small().decode(Ids{1, id}), Error);
  }
}

TEST(Tokenizer, LastCutKeepsTheIds) {
  std::string json = small().to_json();
  std::string other = "    {\n      \"id\": 320,\n      \"content\": \"one two three\"\n    }";
  json.replace(json.find("\n  ],\n  \"normalizer\""), 0, ",\n" + other);
  Tokenizer tokenizer = Tokenizer::from_json(json, "test");
  std::string text = "and one two three and one two thrice";
  EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return c == ' '; }), 7);
  Ids whole = tokenizer.encode(text);
  EXPECT_EQ(std::count(whole.begin(), whole.end(), 320), 1);
  for (size_t size = 1; size <= text.size(); ++size) {
    size_t cut = tokenizer.last_cut(std::string_view(text).substr(0, size));
    if (cut == 0) continue;
    Ids ids = tokenizer.encode(text.substr(0, cut));
    for (int32_t id : tokenizer.encode(text.substr(cut))) ids.push_back(id);
    EXPECT_EQ(ids, whole) << size << " " << cut;
  }
  EXPECT_EQ(tokenizer.last_cut("and one two"), 3u);
  EXPECT_EQ(small().last_cut("and one two"), 7u);
}

TEST(Tokenizer, ManyThreadsAtOnce) {
  Tokenizer tokenizer = small();
  Ids expected = tokenizer.encode(kProse);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results)
    threads.emplace_back([&result, tokenizer] {
      for (int i = 0; i < 50; ++i) result = tokenizer.encode(kProse);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace anneal
