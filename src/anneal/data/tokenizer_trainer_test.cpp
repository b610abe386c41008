#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/data/tokenizer/learn_merges.hpp"

namespace anneal {
namespace {

using bpe::LearnedMerges;
using bpe::Merge;
using bpe::WordCounts;

// English-like text of words with very different frequencies.
std::string random_prose(uint64_t seed, int words) {
  std::string text;
  for (int i = 0; i < words; ++i) {
    auto r = philox(seed, i, 1);
    uint64_t word = static_cast<uint64_t>(2000 * uniform_float(r[0]) * uniform_float(r[1]));
    int letters = 1 + philox(7, word, 0)[0] % 9;
    for (int k = 0; k < letters; ++k) text += static_cast<char>('a' + philox(7, word, k)[1] % 26);
    text += r[2] % 12 ? " " : ".\n";
  }
  return text;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

// BPE training as one would write it on a blackboard: counts everything again for every merge.
LearnedMerges learn_naively(const WordCounts& words, size_t wanted,
                            const std::vector<std::string>& forbidden) {
  LearnedMerges learned = bpe::learn_merges({}, 256, {});
  std::vector<std::pair<std::vector<int>, int64_t>> texts;
  for (size_t w = 0; w < words.size(); ++w) {
    std::vector<int> ids;
    for (char c : words.word(w)) {
      auto found = std::find(learned.tokens.begin(), learned.tokens.end(), std::string(1, c));
      ids.push_back(static_cast<int>(found - learned.tokens.begin()));
    }
    texts.push_back({ids, words.count(w)});
  }
  auto join = [&](const Merge& m) {
    for (auto& [ids, count] : texts)
      for (size_t i = 0; i + 1 < ids.size(); ++i)
        if (ids[i] == m.left && ids[i + 1] == m.right)
          ids[i] = m.merged, ids.erase(ids.begin() + i + 1);
  };
  while (learned.tokens.size() < wanted) {
    std::map<std::pair<int, int>, int64_t> counts;
    for (auto& [ids, count] : texts)
      for (size_t i = 0; i + 1 < ids.size(); ++i) counts[{ids[i], ids[i + 1]}] += count;
    std::pair<int, int> best;
    int64_t most = 0;
    for (auto& [pair, count] : counts) {
      std::string spelled = learned.tokens[pair.first] + learned.tokens[pair.second];
      if (count > most && !std::count(forbidden.begin(), forbidden.end(), spelled))
        best = pair, most = count;
    }
    if (most == 0) break;
    std::string spelled = learned.tokens[best.first] + learned.tokens[best.second];
    EXPECT_FALSE(std::count(learned.tokens.begin(), learned.tokens.end(), spelled)) << spelled;
    learned.merges.push_back(
        {best.first, best.second, static_cast<int32_t>(learned.tokens.size())});
    learned.tokens.push_back(spelled);
    join(learned.merges.back());
  }
  return learned;
}

TEST(LearnMerges, EqualsTheNaiveAlgorithm) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    WordCounts words;
    int letters = 1 + seed % 4;
    for (int w = 0; w < 40; ++w) {
      std::string word;
      int length = 1 + philox(seed, w, 0)[0] % 14;
      for (int i = 0; i < length; ++i)
        word += static_cast<char>('a' + philox(seed, w, i)[1] % letters);
      words.add(word, 1 + philox(seed, w, 0)[2] % 5);
    }
    std::vector<std::string> forbidden;
    if (seed % 3 == 0) forbidden = {"ab", "aaa"};
    LearnedMerges fast = bpe::learn_merges(words, 256 + 60, forbidden);
    LearnedMerges naive = learn_naively(words, 256 + 60, forbidden);
    ASSERT_EQ(fast.tokens, naive.tokens) << seed;
    ASSERT_EQ(fast.merges, naive.merges) << seed;
  }
}

TEST(LearnMerges, BreaksTiesByIds) {
  WordCounts words;
  words.add("xy", 3), words.add("ab", 3), words.add("ac", 3), words.add("zz", 4);
  LearnedMerges learned = bpe::learn_merges(words, 260, {});
  EXPECT_EQ(learned.tokens[256], "zz");
  EXPECT_EQ(learned.tokens[257], "ab");
  EXPECT_EQ(learned.tokens[258], "ac");
  EXPECT_EQ(learned.tokens[259], "xy");
}

TEST(BpeTrainer, MakesExactlyNTokens) {
  std::string text = random_prose(1, 5000);
  for (int n : {257, 258, 300, 1000}) {
    BpeTrainer trainer({.vocab_size = n});
    trainer.feed(text);
    Tokenizer tokenizer = trainer.train();
    EXPECT_EQ(tokenizer.vocab_size(), n);
    EXPECT_EQ(tokenizer.end_of_text(), n - 1);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    std::set<std::string_view> distinct;
    for (int id = 0; id < n; ++id) distinct.insert(tokenizer.token_bytes(id));
    EXPECT_EQ(distinct.size(), static_cast<size_t>(n));
  }
}

TEST(BpeTrainer, TheSameForAnyNumberOfThreadsAndAnyChunks) {
  std::string text = random_prose(2, 120000);  // several parts of 256 KiB
  ASSERT_GT(text.size(), size_t{700000});
  BpeTrainer once({.vocab_size = 800, .threads = 1});
  once.feed(text);
  std::string expected = once.train().to_json();
  for (int threads : {2, 3, 8}) {
    BpeTrainer trainer({.vocab_size = 800, .threads = threads});
    std::string_view rest = text;
    for (uint64_t i = 0; !rest.empty(); ++i) {
      size_t size = std::min<size_t>(rest.size(), 100 + philox(3, i, threads)[0] % 50000);
      size_t cut = size == rest.size() ? size : last_word_cut(rest.substr(0, size));
      ASSERT_GT(cut, 0u);
      trainer.feed(rest.substr(0, cut));
      rest.remove_prefix(cut);
    }
    EXPECT_EQ(trainer.train().to_json(), expected) << threads;
  }
}

TEST(BpeTrainer, TextsDoNotJoin) {
  BpeTrainer trainer({.vocab_size = 257, .special_tokens = {}});
  for (int i = 0; i < 10; ++i) trainer.feed("q"), trainer.feed("r");
  EXPECT_NE(message_of([&] { trainer.train(); }).find("it gives 256"), std::string::npos);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  auto refused = [](BpeTrainerOptions options) {
    return message_of([&] { BpeTrainer trainer(options); });
  };
  EXPECT_NE(refused({.vocab_size = 256}).find("expected 257"), std::string::npos);
  EXPECT_NE(refused({.vocab_size = -5}).find("got -5"), std::string::npos);
  EXPECT_NE(refused({.vocab_size = kMaxTrainedVocabulary + 1}).find("1048576"), std::string::npos);
  EXPECT_NE(refused({.vocab_size = 300, .threads = -1}).find("threads"), std::string::npos);
  auto special = [&](std::vector<std::string> tokens) {
    return refused({.vocab_size = 300, .special_tokens = std::move(tokens)});
  };
  EXPECT_NE(special({"<a>", ""}).find("special_tokens[1]] is empty"), std::string::npos);
  EXPECT_NE(special({"<a>", "<a>"}).find("occurs twice"), std::string::npos);
  EXPECT_NE(special({"\xff"}).find("not valid UTF-8"), std::string::npos);
  EXPECT_NE(special({"Ġ"}).find("how a byte is written"), std::string::npos);

  BpeTrainer trainer({.vocab_size = 1000});
  trainer.feed("too small");
  std::string message = message_of([&] { trainer.train(); });
  EXPECT_NE(message.find("too small for 1000 tokens: it gives 264"), std::string::npos) << message;
}

TEST(BpeTrainer, SpecialTokensStaySpecial) {
  // "hello" would be learned from this text; as a special token it must not be.
  for (std::vector<std::string> special : {std::vector<std::string>{"hello", "<eos>"},
                                           std::vector<std::string>{"hello", "<eos>", "日 本"}}) {
    BpeTrainer trainer({.vocab_size = 264, .special_tokens = special});
    for (int i = 0; i < 50; ++i) trainer.feed("hello helloworld <eos>");
    Tokenizer tokenizer = trainer.train();
    EXPECT_EQ(tokenizer.vocab_size(), 264);
    int32_t first = 264 - static_cast<int32_t>(special.size());
    EXPECT_EQ(tokenizer.encode("hello", {.read_special = true}), (std::vector<int32_t>{first}));
    EXPECT_EQ(tokenizer.end_of_text(), first + 1);
    for (int32_t id : tokenizer.encode("hello<eos>日 本")) EXPECT_FALSE(tokenizer.is_special(id));
    Tokenizer again = Tokenizer::from_json(tokenizer.to_json(), "test");
    EXPECT_EQ(again.to_json(), tokenizer.to_json());
    EXPECT_EQ(again.encode("hello<eos>日 本 x", {.read_special = true}),
              tokenizer.encode("hello<eos>日 本 x", {.read_special = true}));
  }
}

}  // namespace
}  // namespace anneal
