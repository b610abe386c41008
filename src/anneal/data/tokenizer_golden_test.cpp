// What Hugging Face's tokenizers make of texts that are hard to get right, by small tokenizers of
// every kind; tests/golden/check_tokenizers.py writes the file.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

// Where a text is not UTF-8, theirs has the replacement character and ours the bytes.
bool same_text(const std::string& ours, const std::string& theirs) {
  return ours == theirs || theirs.find("\uFFFD") != std::string::npos;
}

Json read_golden() {
  return Json::parse(read_file(ANNEAL_SOURCE_DIR "/tests/golden/tokenizers.json"));
}

// The tokenizer.json of a case; vocabularies that several cases have are stored once.
std::string file_of(const Json& golden, const Json& c) {
  Json file = c["tokenizer"];
  file["model"].update(golden["vocabularies"][c["vocabulary"].get<size_t>()]);
  return file.dump();
}

TEST(TokenizerGolden, IdsAndTexts) {
  Json golden = read_golden();
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    Tokenizer tokenizer = Tokenizer::from_json(file_of(golden, c), "golden");
    EXPECT_EQ(Tokenizer::from_json(tokenizer.to_json(), "again").hash(), tokenizer.hash());
    for (const Json& entry : c["texts"]) {
      std::string text = golden["texts"][entry[0].get<size_t>()];
      std::vector<int32_t> ids = entry[1];
      EXPECT_EQ(tokenizer.encode(text, {.read_special = true, .add_special = true}), ids) << text;
      std::string ours = tokenizer.decode(ids, true);
      std::string theirs = entry[2].is_null() ? text : entry[2].get<std::string>();
      EXPECT_TRUE(same_text(ours, theirs)) << "ours:   " << ours << "\ntheirs: " << theirs;
    }
  }
}

// A text may be cut where last_cut says.
TEST(TokenizerGolden, CutsKeepTheIds) {
  Json golden = read_golden();
  std::string text;
  for (const Json& part : golden["texts"]) text += part.get<std::string>();
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    Tokenizer tokenizer = Tokenizer::from_json(file_of(golden, c), "golden");
    auto whole = tokenizer.encode(text);
    for (size_t size = 1; size < text.size(); size += 7) {
      size_t cut = tokenizer.last_cut(std::string_view(text).substr(0, size));
      if (cut == 0) continue;
      auto ids = tokenizer.encode(text.substr(0, cut));
      for (int32_t id : tokenizer.encode(text.substr(cut))) ids.push_back(id);
      ASSERT_EQ(ids, whole) << size << " " << cut;
    }
  }
}

// Bytes that are not UTF-8 are kept by every tokenizer that has tokens of bytes.
TEST(TokenizerGolden, InvalidUtf8) {
  Json golden = read_golden();
  std::string text = "ab\xff cd\xe4\xb8 e\xc0\x80\xf0\x9f\x99 f\xed\xa0\x80g";
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    std::string name = c["name"];
    Tokenizer tokenizer = Tokenizer::from_json(file_of(golden, c), "golden");
    std::string decoded = tokenizer.decode(tokenizer.encode(text));
    if (name == "gpt2" || name == "llama3" || name == "qwen2" || name == "smollm") {
      EXPECT_EQ(decoded, text);
    }
    if (name == "llama2" || name.starts_with("mistral")) {
      for (char byte : {'\xff', '\xe4', '\xc0', '\xf0', '\xed'})
        EXPECT_NE(decoded.find(byte), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace anneal
