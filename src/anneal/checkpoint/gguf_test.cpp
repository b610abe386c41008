#include "anneal/checkpoint/gguf.hpp"

#include <gtest/gtest.h>
#include <numeric>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/gguf_writer.hpp"

namespace anneal {
namespace {

TEST(Gguf, WhatIsWrittenIsRead) {
  TemporaryDirectory directory;
  auto path = directory.path() / "a.gguf";
  GgufWriter out;
  std::vector<std::string> words = {"a", "", "Ġ\n"};
  std::vector<int32_t> types = {1, -3};
  std::vector<float> scores = {0.5f, -2};
  out.add("t.text", "some text");
  out.add("t.size", uint32_t{4000000000});
  out.add("t.number", 1e-5f);
  out.add("t.flag", true);
  out.add("t.words", std::span<const std::string>(words));
  out.add("t.types", std::span<const int32_t>(types));
  out.add("t.scores", std::span<const float>(scores));
  auto count = [](std::span<float> values) { std::iota(values.begin(), values.end(), 1.0f); };
  out.add_tensor("vector", {3}, GgufType::f32, count);
  out.add_tensor("matrix", {2, 32}, GgufType::q8_0, count);
  out.add_tensor("half", {3, 5}, GgufType::f16, count);
  out.write(path);

  GgufFile file(path);
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.metadata().size(), 7u);
  EXPECT_EQ(file.text("t.text"), "some text");
  EXPECT_EQ(file.integer("t.size"), 4000000000);
  EXPECT_EQ(file.number("t.number"), static_cast<double>(1e-5f));
  EXPECT_EQ(file.number("t.size"), 4e9);
  EXPECT_EQ(file.boolean("t.flag"), true);
  EXPECT_EQ(file.texts("t.words"), (std::vector<std::string_view>{"a", "", "Ġ\n"}));
  EXPECT_EQ(file.numbers("t.types"), (std::vector<double>{1, -3}));
  EXPECT_EQ(file.numbers("t.scores"), (std::vector<double>{0.5, -2}));
  EXPECT_EQ(file.text("t.none"), std::nullopt);
  EXPECT_THROW(file.integer("t.text"), FormatError);
  EXPECT_THROW(file.text("t.size"), FormatError);
  EXPECT_THROW(file.texts("t.types"), FormatError);
  EXPECT_THROW(file.numbers("t.words"), FormatError);
  EXPECT_THROW(file.boolean("t.number"), FormatError);

  ASSERT_EQ(file.entries().size(), 3u);
  const GgufEntry* matrix = file.find_tensor("matrix");
  ASSERT_TRUE(matrix);
  EXPECT_EQ(matrix->shape, (Shape{2, 32}));
  EXPECT_EQ(matrix->bytes, 68u);
  std::vector<float> values(64);
  file.read_as_f32(*matrix, values.data());
  for (int i = 0; i < 64; ++i) EXPECT_NEAR(values[static_cast<size_t>(i)], i + 1, 0.3) << i;
  file.read_as_f32(*file.find_tensor("half"), values.data());
  for (int i = 0; i < 15; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], i + 1) << i;
  EXPECT_EQ(file.find_tensor("matri"), nullptr);
}

}  // namespace
}  // namespace anneal
