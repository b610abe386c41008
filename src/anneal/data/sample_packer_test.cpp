#include "anneal/data/sample_packer.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <map>

#include "anneal/base/rng.hpp"

namespace anneal {
namespace {

using Sequence = SamplePacker::Sequence;

// Sample i is n tokens i; all but every third token is supervised.
std::vector<Sequence> pack(int64_t context, const std::vector<size_t>& lengths) {
  std::vector<Sequence> out;
  SamplePacker packer(context, -7, [&](const Sequence& s) { out.push_back(s); });
  for (size_t i = 0; i < lengths.size(); ++i) {
    std::vector<int32_t> tokens(lengths[i], static_cast<int32_t>(i));
    std::vector<uint8_t> supervised(lengths[i]);
    for (size_t t = 0; t < lengths[i]; ++t) supervised[t] = t % 3 != 1;
    EXPECT_EQ(packer.add(tokens, supervised), lengths[i] <= static_cast<size_t>(context));
  }
  packer.finish();
  return out;
}

TEST(SamplePacker, FillsSequencesWhereTheLeastRoomIsLeft) {
  auto sequences = pack(10, {6, 7, 3, 4, 11, 10});
  ASSERT_EQ(sequences.size(), 3u);
  EXPECT_EQ(sequences[0].tokens, (std::vector<int32_t>{1, 1, 1, 1, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(sequences[0].supervised, (std::vector<uint8_t>{0, 0, 1, 1, 0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(sequences[0].starts, (std::vector<int64_t>{0, 7}));
  EXPECT_EQ(sequences[1].starts, (std::vector<int64_t>{0, 6}));
  EXPECT_EQ(sequences[2].starts, (std::vector<int64_t>{0}));
}

TEST(SamplePacker, PaddingIsADocumentOfItsOwnThatDoesNotCount) {
  auto sequences = pack(8, {5});
  ASSERT_EQ(sequences.size(), 1u);
  EXPECT_EQ(sequences[0].tokens, (std::vector<int32_t>{0, 0, 0, 0, 0, -7, -7, -7}));
  EXPECT_EQ(sequences[0].supervised, (std::vector<uint8_t>{0, 0, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(sequences[0].starts, (std::vector<int64_t>{0, 5}));
}

TEST(SamplePacker, EverySampleStaysWholeAndLittleIsPadding) {
  std::vector<size_t> lengths;
  size_t total = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    lengths.push_back(1 + philox(3, i, 0)[0] % 400);
    total += lengths.back();
  }
  auto sequences = pack(512, lengths);
  std::map<int32_t, size_t> seen;
  for (const Sequence& s : sequences) {
    ASSERT_EQ(s.tokens.size(), 512u);
    for (size_t d = 0; d < s.starts.size(); ++d) {
      auto begin = static_cast<size_t>(s.starts[d]);
      auto end = d + 1 < s.starts.size() ? static_cast<size_t>(s.starts[d + 1]) : 512;
      int32_t sample = s.tokens[begin];
      for (size_t t = begin; t < end; ++t) ASSERT_EQ(s.tokens[t], sample);
      if (sample < 0) continue;
      EXPECT_EQ(end - begin, lengths[static_cast<size_t>(sample)]);
      EXPECT_EQ(seen[sample]++, 0u);
    }
  }
  EXPECT_EQ(seen.size(), lengths.size());
  EXPECT_LT(static_cast<double>(sequences.size() * 512), 1.02 * static_cast<double>(total));
}

}  // namespace
}  // namespace anneal
