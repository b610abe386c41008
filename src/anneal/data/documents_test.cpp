#include "anneal/data/documents.hpp"

#include <gtest/gtest.h>

#include "anneal/data/testing.hpp"

namespace anneal {
namespace {

using testing::failure_of;
using testing::Folder;

std::vector<SourceFile> sources(const Folder& folder, const std::vector<std::string>& names) {
  std::vector<std::string> paths;
  for (const auto& name : names) paths.push_back(folder.path(name));
  return find_sources(paths, "data.train");
}

size_t cut_after_last_newline(std::string_view text) {
  size_t at = text.rfind('\n');
  return at == text.npos ? 0 : at + 1;
}
size_t never(std::string_view) { return 0; }

std::vector<Piece> pieces_of(const std::vector<SourceFile>& files, const CutFunction& cut,
                             PieceLimits limits = {}) {
  DocumentReader reader(files, cut, limits);
  std::vector<Piece> pieces;
  Piece piece;
  while (reader.next(piece)) pieces.push_back(piece);
  return pieces;
}

// The documents as for_each_document_piece gives them.
std::vector<std::string> documents_of(const std::vector<SourceFile>& files) {
  std::vector<std::string> documents;
  bool starts = true;
  for_each_document_piece(files, cut_after_last_newline,
                          [&](int64_t document, std::string_view text, bool last) {
                            if (starts) documents.emplace_back();
                            EXPECT_EQ(document, static_cast<int64_t>(documents.size()) - 1);
                            documents.back() += text;
                            starts = last;
                          });
  EXPECT_TRUE(starts);
  return documents;
}

using Texts = std::vector<std::string>;

TEST(Documents, AFileOfTextIsOneDocument) {
  Folder folder;
  folder.write("a.txt", "one\r\ntwo\r\n");
  folder.write("b.txt", "");
  folder.write("c.txt", "\xef\xbb\xbfmarked \xef\xbb\xbf");
  folder.write("d.txt", "\xef\xbb\xbf");
  folder.write("e.txt", "bad \xff utf8");
  EXPECT_EQ(documents_of(sources(folder, {"a.txt", "b.txt", "c.txt", "d.txt", "e.txt"})),
            (Texts{"one\r\ntwo\r\n", "", "marked \xef\xbb\xbf", "", "bad \xff utf8"}));
}

TEST(Documents, ALineOfJsonlIsOneDocument) {
  Folder folder;
  folder.write("a.txt", "first");
  folder.write("b.jsonl",
               "\xef\xbb\xbf{\"text\": \"x\\n\\u00e9\", \"id\": 3}\r\n"
               "\n  \t\n"
               "{\"meta\": {\"text\": [\"no\", {\"text\": 1}]}, \"text\": \"y\"}\n"
               "{\"text\": \"\"}");
  folder.write("c.jsonl", "\n\n");
  folder.write("d.jsonl", "{\"text\":\"z\"}\n\n");
  EXPECT_EQ(documents_of(sources(folder, {"a.txt", "b.jsonl", "c.jsonl", "d.jsonl"})),
            (Texts{"first", "x\n\xc3\xa9", "y", "", "z"}));
}

TEST(Documents, MistakesInJsonlNameFileAndLine) {
  Folder folder;
  const std::pair<const char*, const char*> cases[] = {
      {"{\"text\": \"cut", "not valid JSON at byte"},
      {"{\"text\": 3}", "expected a string \"text\", got a number"},
      {"{\"text\": null}", "got null"},
      {"{\"text\": [\"a\"]}", "got an array"},
      {"{\"text\": {\"a\": 1}}", "got an object"},
      {"{\"content\": \"a\"}", "got none"},
      {"[\"text\"]", "expected a JSON object"},
      {"\"text\"", "expected a JSON object"},
      {"{\"text\": \"a\"} {}", "not valid JSON"},
      {"{\"text\": \"a\", \"text\": \"b\"}", "stands twice"},
      {"{\"text\": \"\\ud800\"}", "not valid JSON"},
      {"{\"text\": \"\xff\"}", "not valid JSON"},
      {"plain text", "not valid JSON"},
  };
  for (auto [line, what] : cases) {
    folder.write("x.jsonl", str("{\"text\": \"fine\"}\n\n", line, "\n"));
    auto f = failure_of([&] { documents_of(sources(folder, {"x.jsonl"})); });
    EXPECT_EQ(f.code, 2) << line;
    EXPECT_TRUE(f.names("x.jsonl:3]")) << f.message;
    EXPECT_TRUE(f.names(what)) << f.message;
  }
}

TEST(Documents, DeepNestingIsNoDanger) {
  Folder folder;
  folder.write("x.jsonl", "{\"a\": " + std::string(1 << 20, '[') + "\n");
  auto f = failure_of([&] { documents_of(sources(folder, {"x.jsonl"})); });
  EXPECT_TRUE(f.names("x.jsonl:1]")) << f.message;
}

TEST(Documents, TooLongLinesAreRefused) {
  Folder folder;
  folder.write("x.jsonl", "{\"text\": \"a\"}\n{\"text\": \"" + std::string(1000, 'x') + "\"}\n");
  PieceLimits limits;
  limits.target = 64;
  limits.json_line = 500;
  auto f = failure_of([&] { pieces_of(sources(folder, {"x.jsonl"}), never, limits); });
  EXPECT_EQ(f.code, 2);
  EXPECT_TRUE(f.names("x.jsonl:2]")) << f.message;
  EXPECT_TRUE(f.names("longer than 500")) << f.message;
}

TEST(Documents, LongTextComesInBoundedPieces) {
  Folder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += str("line ", i * i, "\n");
  folder.write("long.txt", text);
  PieceLimits limits;
  limits.target = 256;
  limits.hard = 1024;
  auto files = sources(folder, {"long.txt"});
  std::string joined;
  auto pieces = pieces_of(files, cut_after_last_newline, limits);
  ASSERT_GT(pieces.size(), 20u);
  for (const Piece& piece : pieces) {
    EXPECT_LE(piece.text.size(), 2 * limits.target);
    EXPECT_EQ(piece.document, 0);
    EXPECT_EQ(piece.last, &piece == &pieces.back());
    EXPECT_TRUE(piece.last || piece.text.back() == '\n');
    joined += piece.text;
  }
  EXPECT_EQ(joined, text);
}

TEST(Documents, TextWithoutASafePlaceIsCutBetweenCharacters) {
  Folder folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "\xe2\x82\xac";  // the euro sign
  folder.write("euro.txt", text);
  PieceLimits limits;
  limits.target = 100;
  limits.hard = 1000;
  std::string joined;
  for (const Piece& piece : pieces_of(sources(folder, {"euro.txt"}), never, limits)) {
    EXPECT_EQ(piece.text.size() % 3, 0u);
    EXPECT_LE(piece.text.size(), limits.hard);
    joined += piece.text;
  }
  EXPECT_EQ(joined, text);

  folder.write("noise.txt", std::string(5000, '\x80'));
  joined.clear();
  for (const Piece& piece : pieces_of(sources(folder, {"noise.txt"}), never, limits))
    joined += piece.text;
  EXPECT_EQ(joined, std::string(5000, '\x80'));
}

TEST(Documents, UnwantedDocumentsAreNotDecoded) {
  Folder folder;
  folder.write("x.jsonl", "{\"text\": \"a\"}\nbroken\n{\"text\": \"c\"}\n");
  std::string seen;
  for_each_document_piece(
      sources(folder, {"x.jsonl"}), never,
      [&](int64_t document, std::string_view text, bool) { seen += str(document, text); },
      [](int64_t document) { return document != 1; });
  EXPECT_EQ(seen, "0a2c");
}

TEST(Documents, AFileThatChangedIsAnError) {
  Folder folder;
  folder.write("a.txt", "before");
  auto files = sources(folder, {"a.txt"});
  folder.write("a.txt", "longer than before");
  auto f = failure_of([&] { pieces_of(files, never); });
  EXPECT_EQ(f.code, 1);
  EXPECT_TRUE(f.names("changed while it was read")) << f.message;
  std::filesystem::remove(folder.path("a.txt"));
  EXPECT_TRUE(failure_of([&] { pieces_of(files, never); }).names("a.txt] cannot open"));
}

}  // namespace
}  // namespace anneal
