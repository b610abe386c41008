#include "anneal/data/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <vector>

#include "anneal/base/file.hpp"

namespace anneal {
namespace {

std::vector<int64_t> epoch_order(uint64_t seed, int64_t epoch, int64_t n) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < n; ++i) order.push_back(permuted_index(seed, epoch, i, n));
  return order;
}

bool is_permutation_of_all(std::vector<int64_t> order) {
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int64_t>(i)) return false;
  return true;
}

TEST(Order, EachSampleComesExactlyOnceAnEpoch) {
  for (int64_t n = 1; n <= 300; ++n)
    for (int64_t epoch : {0, 1, 5})
      EXPECT_TRUE(is_permutation_of_all(epoch_order(7, epoch, n))) << n;
  for (int64_t n : {1023, 1024, 1025, 4096, 4097, 65536, 100003})
    EXPECT_TRUE(is_permutation_of_all(epoch_order(~uint64_t{0}, 3, n))) << n;
}

TEST(Order, EpochsAndSeedsDiffer) {
  auto order = epoch_order(1, 0, 1000);
  EXPECT_NE(order, epoch_order(1, 1, 1000));
  EXPECT_NE(order, epoch_order(2, 0, 1000));
  EXPECT_EQ(order, epoch_order(1, 0, 1000));
}

TEST(Order, LooksRandom) {
  // Of a random permutation about one element stays in place (Poisson), about half of the
  // neighbours rise, and the rank correlation with the identity has deviation 1/sqrt(n - 1).
  const int64_t n = 10000;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    auto order = epoch_order(11, epoch, n);
    int64_t fixed = 0, rises = 0;
    double product = 0;
    for (int64_t i = 0; i < n; ++i) {
      auto at = static_cast<size_t>(i);
      fixed += order[at] == i;
      if (i > 0) rises += order[at] > order[at - 1];
      product += (static_cast<double>(i) - (n - 1) / 2.0) *
                 (static_cast<double>(order[at]) - (n - 1) / 2.0);
    }
    double variance = (static_cast<double>(n) * n - 1) / 12;
    EXPECT_LE(fixed, 8);
    EXPECT_NEAR(rises, n / 2, 150);  // deviation sqrt(n / 12) = 29
    EXPECT_LT(std::abs(product / n / variance), 0.05);
  }
}

TEST(Order, SmallDomainsReachEveryPlace) {
  const int64_t n = 5;
  std::vector<int64_t> hits(n * n);
  for (int64_t epoch = 0; epoch < 2000; ++epoch)
    for (int64_t i = 0; i < n; ++i)
      ++hits[static_cast<size_t>(i * n + permuted_index(3, epoch, i, n))];
  for (int64_t count : hits) EXPECT_NEAR(count, 400, 120);  // deviation 18
}

TEST(Order, SampleIndexWrapsAtEpochs) {
  for (int64_t n : {1, 2, 7, 100}) {
    for (int64_t g = 0; g < 3 * n; ++g) {
      EXPECT_EQ(sample_index(9, g, n, false), g % n);
      EXPECT_EQ(sample_index(9, g, n, true), permuted_index(9, g / n, g % n, n));
    }
  }
}

TEST(Order, HoldsOutAboutTheFraction) {
  int64_t held_out = 0;
  for (int64_t d = 0; d < 100000; ++d) held_out += is_validation_document(5, d, 0.05);
  EXPECT_NEAR(held_out, 5000, 350);  // deviation 69
  for (int64_t d = 0; d < 100; ++d) {
    EXPECT_FALSE(is_validation_document(5, d, 0));
    EXPECT_TRUE(is_validation_document(5, d, 1));
    // A larger fraction keeps what a smaller one held out.
    EXPECT_LE(is_validation_document(5, d, 0.1), is_validation_document(5, d, 0.2));
  }
}

// The cells of the table rows below `heading` in a Markdown page.
std::vector<std::vector<std::string>> table_below(const std::string& page,
                                                  const std::string& heading) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(page.substr(page.find(heading)));
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with("|")) {
      if (!rows.empty()) break;
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(cell);
    rows.push_back(cells);
  }
  return {rows.begin() + 2, rows.end()};
}

std::vector<int64_t> numbers(const std::string& cell) {
  std::vector<int64_t> out;
  std::istringstream parts(cell);
  for (std::string number; std::getline(parts, number, ',');) out.push_back(std::stoll(number));
  return out;
}

TEST(Order, TheDocumentedTestVectorsHold) {
  std::string page = read_file(std::string(ANNEAL_SOURCE_DIR) + "/docs/data-order.md");
  auto permutations = table_below(page, "The permutation of the first samples");
  ASSERT_GE(permutations.size(), 9u);
  for (const auto& row : permutations) {
    int64_t seed = std::stoll(row[0]), epoch = std::stoll(row[1]), n = std::stoll(row[2]);
    auto expected = numbers(row[3]);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(permuted_index(static_cast<uint64_t>(seed), epoch, static_cast<int64_t>(i), n),
                expected[i])
          << seed << " " << epoch << " " << i << " " << n;
  }
  auto held_out = table_below(page, "Documents held out");
  ASSERT_GE(held_out.size(), 3u);
  for (const auto& row : held_out) {
    std::vector<int64_t> found;
    for (int64_t d = 0; d < 100; ++d)
      if (is_validation_document(std::stoull(row[0]), d, std::stod(row[1]))) found.push_back(d);
    EXPECT_EQ(found, numbers(row[2]));
  }
}

}  // namespace
}  // namespace anneal
