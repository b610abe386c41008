#include "anneal/data/sources.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "anneal/data/glob.hpp"
#include "anneal/data/testing.hpp"

namespace anneal {
namespace {

using testing::failure_of;
using testing::Folder;

std::vector<std::string> names(const Folder& folder, const std::vector<SourceFile>& files) {
  std::vector<std::string> out;
  for (const auto& file : files) out.push_back(file.path.substr(folder.path("").size()));
  return out;
}

using Names = std::vector<std::string>;

TEST(Glob, SortsBytewiseAndMatchesWithinOnePart) {
  Folder folder;
  for (const char* name : {"b.txt", "B.txt", "a10.txt", "a2.txt", "\xc3\xa9.txt", "sub/c.txt",
                           "sub/deep/d.txt", ".hidden.txt", "x.md"})
    folder.write(name, "x");
  auto found = [&](const std::string& pattern) {
    return names(folder, find_sources({folder.path(pattern)}, "data.train"));
  };
  EXPECT_EQ(found("*.txt"), (Names{"B.txt", "a10.txt", "a2.txt", "b.txt", "\xc3\xa9.txt"}));
  EXPECT_EQ(found("a?.txt"), (Names{"a2.txt"}));
  EXPECT_EQ(found("[bB].txt"), (Names{"B.txt", "b.txt"}));
  EXPECT_EQ(found("*/*.txt"), (Names{"sub/c.txt"}));
  EXPECT_EQ(found("**/[cd].txt"), (Names{"sub/c.txt", "sub/deep/d.txt"}));
  EXPECT_EQ(found("sub/**"), (Names{"sub/c.txt", "sub/deep/d.txt"}));
  EXPECT_EQ(found("**/**/b.txt"), (Names{"b.txt"}));
  EXPECT_EQ(found(".h*"), (Names{".hidden.txt"}));
}

TEST(Glob, DoesNotFollowLinksToFoldersForAnyDepth) {
  Folder folder;
  folder.write("real/a.txt", "x");
  std::filesystem::create_directory_symlink(folder.path(""), folder.path("real/loop"));
  EXPECT_EQ(expand_glob(folder.path("**/a.txt")), (Names{folder.path("real/a.txt")}));
}

TEST(Glob, EscapedWildcardsAreText) {
  EXPECT_FALSE(has_wildcard("a\\*b"));
  EXPECT_TRUE(has_wildcard("a\\\\*b"));
  Folder folder;
  folder.write("a*b", "x");
  folder.write("aXb", "x");
  EXPECT_EQ(expand_glob(folder.path("a\\*?")), (Names{folder.path("a*b")}));
}

TEST(Sources, PatternsKeepTheirOrderAndFilesComeOnce) {
  Folder folder;
  for (const char* name : {"a.txt", "b.txt", "c[1].txt"}) folder.write(name, "x");
  auto files = find_sources({folder.path("b.txt"), folder.path("*.txt"), folder.path("c[1].txt")},
                            "data.train");
  EXPECT_EQ(names(folder, files), (Names{"b.txt", "a.txt", "c[1].txt"}));
  EXPECT_EQ(total_bytes(files), 3);
}

TEST(Sources, KindsAreToldByName) {
  Folder folder;
  folder.write("a.txt", "x");
  folder.write("b.jsonl", "{}");
  folder.write("c.bin", "xx");
  folder.write("d.bin", "xx");
  folder.write("d.json", "{}");
  auto files = find_sources({folder.path("*")}, "data.train");
  ASSERT_EQ(names(folder, files), (Names{"a.txt", "b.jsonl", "c.bin", "d.bin"}));
  EXPECT_EQ(files[0].kind, SourceKind::text);
  EXPECT_EQ(files[1].kind, SourceKind::jsonl);
  EXPECT_EQ(files[2].kind, SourceKind::bare_shard);
  EXPECT_EQ(files[3].kind, SourceKind::shard);
  EXPECT_EQ(files[3].bytes, 2);
  EXPECT_GT(files[3].modified_ns, 0);
}

TEST(Sources, MistakesNameTheKeyAndTheFile) {
  Folder folder;
  folder.write("sub/x.txt", "x");
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  auto failure = [&](const std::string& pattern) {
    return failure_of([&] { find_sources({folder.path(pattern)}, "data.train"); });
  };
  for (const char* pattern : {"none.txt", "*.txt", "sub", "pipe", "sub/*/none"}) {
    auto f = failure(pattern);
    EXPECT_EQ(f.code, 2) << pattern;
    EXPECT_TRUE(f.names("[data.train]")) << f.message;
    EXPECT_TRUE(f.names(pattern)) << f.message;
  }
  EXPECT_TRUE(failure("*.txt").names("no file matches"));
  EXPECT_TRUE(failure("sub").names("is a folder"));
  EXPECT_TRUE(failure("pipe").names("not a regular file"));
}

TEST(Sources, RefusesFilesThatArePlainlyNotText) {
  Folder folder;
  folder.write("a.txt", std::string_view("\x1f\x8b\x08\0", 4));
  folder.write("b.txt", "PAR1....");
  folder.write("c.jsonl", std::string_view("\xff\xfe{\0", 4));
  folder.write("d.txt", std::string_view("\xfd"
                                         "7zXZ\0",
                                         6));
  for (auto [name, what] :
       {std::pair{"a.txt", "gzip"}, {"b.txt", "Parquet"}, {"c.jsonl", "UTF-16"}, {"d.txt", "xz"}}) {
    auto f = failure_of([&, name = name] { find_sources({folder.path(name)}, "data.train"); });
    EXPECT_EQ(f.code, 2);
    EXPECT_TRUE(f.names(what)) << f.message;
  }
}

}  // namespace
}  // namespace anneal
