#include "anneal/data/token_shard.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "anneal/base/hash.hpp"
#include "anneal/data/testing.hpp"

namespace anneal {
namespace {

using testing::failure_of;
using testing::Folder;

TEST(TokenShard, WritesAndReadsBothWidths) {
  for (int64_t vocab : {300, 65536, 65537, 200000}) {
    Folder folder;
    auto top = static_cast<int32_t>(vocab - 1);
    auto path = folder.shard("x.bin", {{0, 1, top}, {}, {top, 7}}, vocab, "abc");
    TokenShard shard = TokenShard::open(path);
    EXPECT_EQ(shard.info().width, vocab <= 65536 ? TokenWidth::u16 : TokenWidth::u32);
    EXPECT_EQ(std::filesystem::file_size(path), vocab <= 65536 ? 10u : 20u);
    EXPECT_EQ(shard.size(), 5);
    EXPECT_EQ(shard.info().vocab_size, vocab);
    EXPECT_EQ(shard.info().documents, 3);
    EXPECT_EQ(shard.info().tokenizer_hash, "abc");
    EXPECT_EQ(shard.document_offsets(), (std::vector<int64_t>{0, 3, 3}));
    std::vector<int32_t> tokens(5);
    shard.read(0, tokens);
    EXPECT_EQ(tokens, (std::vector<int32_t>{0, 1, top, top, 7}));
    shard.read(3, std::span(tokens).first(2));
    EXPECT_EQ(tokens[0], top);
    shard.check_tokens();
    ContentHash hash;
    std::string bytes = read_file(path);
    hash.update(bytes.data(), bytes.size());
    EXPECT_EQ(shard.info().checksum, hash.hex());
  }
}

TEST(TokenShard, LargeShardsStreamThroughTheBuffers) {
  Folder folder;
  std::vector<int32_t> tokens(1'000'003);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>(static_cast<uint32_t>(i) * 2654435761u >> 17);
  {
    ShardWriter writer(folder.path("x.bin"), 32768, "");
    for (size_t at = 0; at < tokens.size(); at += 13) {
      writer.begin_document();
      writer.append(std::span(tokens).subspan(at, std::min<size_t>(13, tokens.size() - at)));
      writer.count_text(20);
    }
    EXPECT_EQ(writer.finish().count, 1'000'003);
  }
  TokenShard shard = TokenShard::open(folder.path("x.bin"));
  std::vector<int32_t> back(tokens.size());
  shard.read(0, back);
  EXPECT_EQ(back, tokens);
  auto offsets = shard.document_offsets();
  ASSERT_EQ(static_cast<int64_t>(offsets.size()), shard.info().documents);
  for (size_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(offsets[i], static_cast<int64_t>(13 * i));
  EXPECT_EQ(shard.info().text_bytes, 20 * shard.info().documents);
}

TEST(TokenShard, NothingAppearsBeforeFinish) {
  Folder folder;
  {
    ShardWriter writer(folder.path("x.bin"), 10, "");
    writer.begin_document();
    writer.append(std::vector<int32_t>{1, 2, 3});
    EXPECT_FALSE(std::filesystem::exists(folder.path("x.bin")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.directory.path()));
  EXPECT_THROW(folder.shard("y.bin", {{10}}, 10), InternalError);
}

TEST(TokenShard, HostileSidecarsAreFormatErrors) {
  const std::string good =
      R"({"dtype":"uint16","count":4,"vocab_size":100,"document_offsets":[0,2]})";
  EXPECT_EQ(parse_sidecar(good, "x.json").documents, 2);
  EXPECT_EQ(parse_sidecar(R"({"count":0,"more":{"count":[-1,{}]},"dtype":"uint32","vocab_size":1})",
                          "x.json")
                .vocab_size,
            1);
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"[]", "got an array"},
      {"3", "got 3"},
      {"\"uint16\"", "expected an object"},
      {"{}", "dtype is missing"},
      {R"({"dtype":"uint16","vocab_size":1})", "count is missing"},
      {R"({"dtype":"uint16","count":1})", "vocab_size is missing"},
      {good.substr(0, good.size() - 1), "not valid JSON"},
      {good + "x", "not valid JSON"},
      {R"({"dtype":"uint8","count":1,"vocab_size":1})", "uint8"},
      {R"({"dtype":16,"count":1,"vocab_size":1})", "dtype: unexpected 16"},
      {R"({"dtype":"uint16","count":-1,"vocab_size":1})", "count: expected 0"},
      {R"({"dtype":"uint16","count":1.5,"vocab_size":1})", "count: unexpected 1.5"},
      {R"({"dtype":"uint16","count":"1","vocab_size":1})", "count: unexpected a string"},
      {R"({"dtype":"uint16","count":null,"vocab_size":1})", "count: unexpected null"},
      {R"({"dtype":"uint16","count":{"a":1},"vocab_size":1})", "count: unexpected an object"},
      {R"({"dtype":"uint16","count":[1],"vocab_size":1})", "count: unexpected an array"},
      {R"({"dtype":"uint16","count":1,"count":1,"vocab_size":1})", "count stands twice"},
      {R"({"dtype":"uint16","count":18446744073709551615,"vocab_size":1})", "count: unexpected"},
      {R"({"dtype":"uint16","count":9223372036854775807,"vocab_size":1})", "count: expected"},
      {R"({"dtype":"uint16","count":1,"vocab_size":0})", "vocab_size: expected 1"},
      {R"({"dtype":"uint16","count":1,"vocab_size":65537})", "does not fit uint16"},
      {R"({"dtype":"uint32","count":1,"vocab_size":2147483649})", "vocab_size: expected"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":[1]})", "entry 0 is 1"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":[0,3,2]})", "entry 2 is 2"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":[0,5]})", "beyond count 4"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":[0,[1]]})", "unexpected"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":["0"]})", "unexpected"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"document_offsets":4})", "unexpected 4"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"text_bytes":-2})", "text_bytes: expected"},
      {R"({"dtype":"uint16","count":4,"vocab_size":1,"tokenizer_hash":")" + std::string(500, 'a') +
           "\"}",
       "longer than 128"},
      {std::string(1 << 20, '['), "got an array"},
      {"{\"a\":" + std::string(1 << 20, '['), "not valid JSON"},
      {"{\"a\xff\":1}", "not valid JSON"},
  };
  for (const auto& [json, what] : cases) {
    auto f = failure_of([&json = json] { parse_sidecar(json, "x.json"); });
    EXPECT_EQ(f.code, 2) << json.substr(0, 200);
    EXPECT_TRUE(f.names("[x.json]")) << f.message;
    EXPECT_TRUE(f.names(what)) << f.message << " for " << json.substr(0, 200);
  }
}

TEST(TokenShard, FilesThatContradictTheirSidecarAreRefused) {
  Folder folder;
  auto path = folder.shard("x.bin", {{1, 2, 3, 4}}, 100);
  std::string tokens = read_file(path);
  for (size_t size : {0, 1, 7}) {
    folder.write("x.bin", tokens.substr(0, size));
    auto f = failure_of([&] { TokenShard::open(path); });
    EXPECT_EQ(f.code, 2);
    EXPECT_TRUE(f.names("says 4 tokens")) << f.message;
  }
  folder.write("x.bin", tokens + "z");
  EXPECT_TRUE(failure_of([&] { TokenShard::open(path); }).names("is 9 bytes"));
  std::filesystem::remove(folder.path("x.json"));
  EXPECT_TRUE(failure_of([&] { TokenShard::open(path); }).names("x.json] cannot open"));
}

TEST(TokenShard, TokensBeyondTheVocabularyAreNamedByPosition) {
  Folder folder;
  std::vector<uint16_t> small(100'000, 5);
  small[77'777] = 50;
  TokenShard shard = TokenShard::open_bare(folder.bare("a.bin", small), TokenWidth::u16, 50);
  auto f = failure_of([&] { shard.check_tokens(); });
  EXPECT_EQ(f.code, 2);
  EXPECT_TRUE(f.names("token 77777 is 50, not below the vocabulary size 50")) << f.message;
  shard.check_tokens(77'777);
  std::vector<int32_t> out(10);
  shard.read(77'767, out);
  EXPECT_EQ(out[9], 5);
  EXPECT_TRUE(failure_of([&] { shard.read(77'770, out); }).names("token 77777 is 50"));
  EXPECT_THROW(shard.read(99'991, out), InternalError);

  std::vector<uint32_t> large = {1, 0xffffffffu, 2};
  TokenShard wide = TokenShard::open_bare(folder.bare("b.bin", large), TokenWidth::u32, 1 << 20);
  EXPECT_TRUE(failure_of([&] { wide.check_tokens(); }).names("token 1 is 4294967295"));
}

TEST(TokenShard, BareFilesMustBeWholeTokens) {
  Folder folder;
  auto path = folder.write("x.bin", "12345");
  auto f = failure_of([&] { TokenShard::open_bare(path, TokenWidth::u16, 65536); });
  EXPECT_EQ(f.code, 2);
  EXPECT_TRUE(f.names("not a whole number")) << f.message;
  EXPECT_TRUE(failure_of([&] {
                TokenShard::open_bare(path, TokenWidth::u16, 65537);
              }).names("[model.vocab_size]"));
  EXPECT_TRUE(failure_of([] { token_width("int16"); }).names("[data.dtype]"));
}

}  // namespace
}  // namespace anneal
