#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

using Ids = std::vector<int32_t>;
using Json = nlohmann::json;

Tokenizer trained() {
  static const Tokenizer tokenizer = [] {
    BpeTrainer trainer({.vocab_size = 300, .threads = 1});
    trainer.feed(
        "the quick brown fox jumps over the lazy dog; \"the\\dog\" thinks the fox is quick and "
        "jumpy");
    return trainer.train();
  }();
  return tokenizer;
}

std::string message_of(const std::string& json) {
  try {
    Tokenizer::from_json(json, "file.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no FormatError";
}

TEST(TokenizerJson, WritesWhatItReads) {
  for (const Tokenizer& tokenizer : {trained(), Tokenizer::bytes()}) {
    std::string json = tokenizer.to_json();
    Tokenizer again = Tokenizer::from_json(json, "test");
    EXPECT_EQ(again.to_json(), json);
    EXPECT_EQ(again.hash(), tokenizer.hash());
    EXPECT_EQ(again.vocab_size(), tokenizer.vocab_size());
    EXPECT_EQ(again.end_of_text(), tokenizer.end_of_text());
    EXPECT_EQ(again.encode("the lazy\n"), tokenizer.encode("the lazy\n"));
  }
  EXPECT_NE(trained().hash(), Tokenizer::bytes().hash());
}

TEST(TokenizerJson, ReadsBothFormsOfMerges) {
  Json json = Json::parse(trained().to_json());
  for (Json& merge : json["model"]["merges"]) {
    std::string both = merge;
    size_t space = both.find(' ');
    merge = {both.substr(0, space), both.substr(space + 1)};
  }
  EXPECT_EQ(Tokenizer::from_json(json.dump(), "test").to_json(), trained().to_json());
}

// As Hugging Face's library does where there is no token for what is unknown.
TEST(TokenizerJson, AByteWithoutATokenHasNoId) {
  Json json = Json::parse(trained().to_json());
  Json& vocab = json["model"]["vocab"];
  std::string name = "\u0101";  // byte 1, as byte-level BPE spells it
  int32_t id = vocab.at(name);
  vocab.erase(name);
  vocab["qqqq"] = id;
  auto tokenizer = Tokenizer::from_json(json.dump(), "test");
  EXPECT_EQ(tokenizer.encode("\x01"), Ids());
  EXPECT_EQ(tokenizer.encode("x\x01 the"), [&] {
    Ids ids = trained().encode("x");
    for (int32_t more : trained().encode(" the")) ids.push_back(more);
    return ids;
  }());
  EXPECT_EQ(tokenizer.encode("the quick"), trained().encode("the quick"));
}

TEST(TokenizerJson, LoadsAFileOrItsDirectory) {
  TemporaryDirectory dir;
  EXPECT_THROW(Tokenizer::load(dir.path()), Error);
  write_file_atomically(dir.path() / "tokenizer.json", trained().to_json());
  EXPECT_EQ(Tokenizer::load(dir.path()).hash(), trained().hash());
  EXPECT_EQ(Tokenizer::load(dir.path() / "tokenizer.json").hash(), trained().hash());
}

TEST(TokenizerJson, AddedTokensBeyondTheModel) {
  Json json = Json::parse(trained().to_json());
  json["added_tokens"].push_back({{"id", 301}, {"content", "<|é x|>"}, {"special", true}});
  json["added_tokens"].push_back({{"id", 300}, {"content", "<tool>"}});
  json["added_tokens"].push_back({{"id", 302}, {"content", "<tool>s"}, {"normalized", false}});
  Tokenizer tokenizer = Tokenizer::from_json(json.dump(), "test");
  EXPECT_EQ(tokenizer.vocab_size(), 303);
  EXPECT_EQ(tokenizer.token_bytes(301), "<|é x|>");
  EXPECT_EQ(tokenizer.encode("<tool><|é x|>", {.read_special = true}), (Ids{300, 301}));
  // Not special: found by encode() too; those that are not normalized come first.
  EXPECT_EQ(tokenizer.encode("<tool><tool>s"), (Ids{300, 302}));
  EXPECT_FALSE(tokenizer.is_special(300));
  EXPECT_EQ(Tokenizer::from_json(tokenizer.to_json(), "test").to_json(), tokenizer.to_json());
}

TEST(TokenizerJson, IgnoreMerges) {
  Json json = Json::parse(Tokenizer::bytes().to_json());
  json["model"]["vocab"]["xyz"] = 257;
  EXPECT_EQ(Tokenizer::from_json(json.dump(), "test").encode("xyz"), (Ids{'x', 'y', 'z'}));
  json["model"]["ignore_merges"] = true;
  Tokenizer tokenizer = Tokenizer::from_json(json.dump(), "test");
  EXPECT_EQ(tokenizer.encode("xyz"), (Ids{257}));
  EXPECT_EQ(tokenizer.encode("xyzx"), (Ids{'x', 'y', 'z', 'x'}));
  EXPECT_EQ(Tokenizer::from_json(tokenizer.to_json(), "test").to_json(), tokenizer.to_json());
}

TEST(TokenizerJson, NamesTheKeyOfWhatIsWrong) {
  struct Case {
    const char* expected;  // part of the message
    std::function<void(Json&)> change;
  };
  const Case cases[] = {
      {"[file.json: normalizer.type] the normalizer \"BertNormalizer\" is not supported",
       [](Json& j) {
         j["normalizer"] = {{"type", "BertNormalizer"}};
       }},
      {"[file.json: decoder] ByteLevel needs the pre-tokenizer ByteLevel",
       [](Json& j) { j["pre_tokenizer"] = nullptr; }},
      {"[file.json: pre_tokenizer.pattern] is missing",
       [](Json& j) { j["pre_tokenizer"]["type"] = "Split"; }},
      {"[file.json: pre_tokenizer.type] the pre-tokenizer \"Delimiter\" is not supported",
       [](Json& j) { j["pre_tokenizer"]["type"] = "Delimiter"; }},
      {"pre_tokenizer.type] expected a string, got number",
       [](Json& j) { j["pre_tokenizer"]["type"] = 1; }},
      {"add_prefix_space] expected a boolean",
       [](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = "yes"; }},
      {"use_regex] expected a boolean", [](Json& j) { j["pre_tokenizer"]["use_regex"] = 1; }},
      {"[file.json: decoder] is missing", [](Json& j) { j.erase("decoder"); }},
      {"[file.json: decoder.type]", [](Json& j) { j["decoder"]["type"] = "WordPiece"; }},
      {"[file.json: post_processor.single] is missing",
       [](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"}};
       }},
      {"[file.json: model] is missing", [](Json& j) { j.erase("model"); }},
      {"[file.json: model] expected an object, got array",
       [](Json& j) {
         j["model"] = {1, 2};
       }},
      {"model.type] expected \"BPE\", got \"Unigram\"",
       [](Json& j) { j["model"]["type"] = "Unigram"; }},
      {"model.dropout]", [](Json& j) { j["model"]["dropout"] = 0.1; }},
      {"model.byte_fallback]", [](Json& j) { j["model"]["byte_fallback"] = true; }},
      {"model.end_of_word_suffix]", [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
      {"model.vocab] is missing", [](Json& j) { j["model"].erase("vocab"); }},
      {"model.vocab] expected an object", [](Json& j) { j["model"]["vocab"] = Json::array(); }},
      {"model.vocab] has no token for any byte",
       [](Json& j) { j["model"]["vocab"] = Json::object(); }},
      {"below 300, got 300", [](Json& j) { j["model"]["vocab"]["a"] = 300; }},
      {"got 18446744073709551615",
       [](Json& j) { j["model"]["vocab"]["a"] = 18446744073709551615u; }},
      {"got -1", [](Json& j) { j["model"]["vocab"]["a"] = -1; }},
      {"vocab.\"a\"] expected an id, got string", [](Json& j) { j["model"]["vocab"]["a"] = "1"; }},
      {"expected an id, got number", [](Json& j) { j["model"]["vocab"]["a"] = 1.5; }},
      {"belongs to two tokens", [](Json& j) { j["model"]["vocab"]["a"] = 5; }},
      {"below 299, got 299", [](Json& j) { j["model"]["vocab"].erase("the"); }},
      {"stands for no byte", [](Json& j) { j["model"]["vocab"]["日"] = 300; }},
      {"stands for no byte", [](Json& j) { j["model"]["vocab"]["a b"] = 300; }},
      {"is empty", [](Json& j) { j["model"]["vocab"][""] = 300; }},
      {"model.merges] is missing", [](Json& j) { j["model"].erase("merges"); }},
      {"model.merges] expected an array", [](Json& j) { j["model"]["merges"] = "a b"; }},
      {"merges[0]] token \"zq\" is not in model.vocab",
       [](Json& j) { j["model"]["merges"][0] = "zq e"; }},
      {"token \"zq\" is not",
       [](Json& j) {
         j["model"]["merges"][0] = {"z", "q"};
       }},
      {"token \"\" is not", [](Json& j) { j["model"]["merges"][0] = "a "; }},
      {"merges[1]] expected two tokens", [](Json& j) { j["model"]["merges"][1] = "a b c"; }},
      {"merges[1]] expected two tokens", [](Json& j) { j["model"]["merges"][1] = "ab"; }},
      {"merges[1]] expected \"left right\"", [](Json& j) { j["model"]["merges"][1] = 7; }},
      {"expected \"left right\"",
       [](Json& j) {
         j["model"]["merges"][1] = {"a", "b", "c"};
       }},
      {"expected \"left right\"",
       [](Json& j) {
         j["model"]["merges"][1] = {"a", 2};
       }},
      {"added_tokens] expected an array", [](Json& j) { j["added_tokens"] = 1; }},
      {"added_tokens[0]] expected an object", [](Json& j) { j["added_tokens"][0] = 1; }},
      {"added_tokens[0].id] is missing", [](Json& j) { j["added_tokens"][0].erase("id"); }},
      {"added_tokens[0].content] is missing",
       [](Json& j) { j["added_tokens"][0].erase("content"); }},
      {"added_tokens[0].content] is empty", [](Json& j) { j["added_tokens"][0]["content"] = ""; }},
      {"added_tokens[0].lstrip]", [](Json& j) { j["added_tokens"][0]["lstrip"] = 1; }},
      {"added_tokens[0].id] expected the id of", [](Json& j) { j["added_tokens"][0]["id"] = 300; }},
      {"in model.vocab, which lacks it",
       [](Json& j) { j["added_tokens"][0]["content"] = "<missing>"; }},
      {"below 302, got 4000000000",
       [](Json& j) {
         j["added_tokens"].push_back({{"id", 4000000000u}, {"content", "<x>"}});
       }},
      {"expected id 300 next, without gaps, got 301",
       [](Json& j) {
         j["added_tokens"].push_back({{"id", 301}, {"content", "<x>"}});
       }},
      {"occurs twice", [](Json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); }},
      {"\"<x>\" occurs twice",
       [](Json& j) {
         j["added_tokens"].push_back({{"id", 300}, {"content", "<x>"}});
         j["added_tokens"].push_back({{"id", 301}, {"content", "<x>"}});
       }},
      {"stands for other bytes",
       [](Json& j) {
         j["added_tokens"].push_back({{"id", j["model"]["vocab"]["Ġ"]}, {"content", "Ġ"}});
       }},
  };
  for (const Case& c : cases) {
    Json json = Json::parse(trained().to_json());
    c.change(json);
    std::string message = message_of(json.dump());
    EXPECT_NE(message.find(c.expected), std::string::npos)
        << "expected: " << c.expected << "\ngot: " << message;
    EXPECT_EQ(message.find("[file.json"), 0u) << message;
  }
}

TEST(TokenizerJson, RefusesWhatIsNotJson) {
  std::string json = trained().to_json();
  for (size_t size = 0; size + 2 < json.size(); size += 1 + size / 50)
    EXPECT_NE(message_of(json.substr(0, size)).find("not valid JSON"), std::string::npos) << size;
  EXPECT_NE(message_of(std::string(1000000, '[')).find("nests deeper"), std::string::npos);
  EXPECT_NE(message_of(std::string("[{\"\\\"[[") + json).find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of("[1]").find("expected a JSON object, got array"), std::string::npos);
  EXPECT_NE(message_of("1e999").find("not valid JSON"), std::string::npos);
  json.insert(json.find("\"the\"") + 2, "\xff");
  EXPECT_NE(message_of(json).find("not valid JSON"), std::string::npos);
}

TEST(TokenizerJson, DamagedFilesNeverCrash) {
  std::string json = trained().to_json();
  int refused = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    std::string damaged = json;
    for (int i = 0; i < 3; ++i) {
      auto r = philox(seed, i, 0);
      damaged[r[0] % damaged.size()] =
          r[1] % 2 ? static_cast<char>(r[2]) : json[r[2] % json.size()];
    }
    try {
      Tokenizer tokenizer = Tokenizer::from_json(damaged, "test");
      (void)tokenizer.decode(tokenizer.encode(json));
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

// GPT-2's own files, outside the repository: in the folder that ANNEAL_TEST_DATA names, or
// ../shared/data beside the source.
TEST(TokenizerJson, Gpt2Ids) {
  const char* named = std::getenv("ANNEAL_TEST_DATA");
  std::filesystem::path data = named ? named : ANNEAL_SOURCE_DIR "/../shared/data";
  if (!std::filesystem::exists(data / "gpt2" / "vocab.json"))
    GTEST_SKIP() << "GPT-2's vocabulary is not there: " << data / "gpt2" / "vocab.json";
  Tokenizer gpt2 = Tokenizer::load(data / "gpt2");
  EXPECT_EQ(gpt2.vocab_size(), 50257);
  EXPECT_EQ(gpt2.end_of_text(), 50256);

  // The ids are those of Hugging Face's tokenizers 0.23.
  const std::pair<const char*, Ids> golden[] = {
      {"Hello world", {15496, 995}},
      {" Hello  world\n\n", {18435, 220, 995, 628}},
      {"I'll say it's don't WE'RE 'tis",
       {40, 1183, 910, 340, 338, 836, 470, 12887, 6, 2200, 705, 48010}},
      {"The year 2024, 3.14159 costs $1,000!",
       {464, 614, 48609, 11, 513, 13, 1415, 19707, 3484, 720, 16, 11, 830, 0}},
      {"naïve café — “quotes”… 日本語 ½ ²",
       {2616,  38776, 40304, 851,   564, 250,   421, 6421,  447,  251, 1399,
        10545, 245,   98,    17312, 105, 45739, 252, 25208, 1587, 110}},
      {"\t\tdef f(x):\n        return x**2  \n",
       {197, 197, 4299, 277, 7,    87,   2599, 198, 220, 220, 220,
        220, 220, 220,  220, 1441, 2124, 1174, 17,  220, 220, 198}},
      {"antidisestablishmentarianism", {415, 29207, 44390, 3699, 1042}},
      {"🙂👍🏽 emoji", {8582, 25081, 41840, 235, 8582, 237, 121, 44805}},
      {"a\u00a0b\u3000 c\u2028d", {64, 1849, 65, 5099, 222, 269, 447, 101, 67}},
      {"a<|endoftext|>b", {64, 50256, 65}},
  };
  for (const auto& [text, ids] : golden)
    EXPECT_EQ(gpt2.encode(text, {.read_special = true}), ids) << text;
}

}  // namespace
}  // namespace anneal
