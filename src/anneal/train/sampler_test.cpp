#include "anneal/train/sampler.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The probabilities that transformers' processors give, written the plain way in FP64.
std::vector<double> reference(const SamplingOptions& o, std::vector<float> logits,
                              const std::vector<int32_t>& history) {
  size_t n = logits.size();
  std::vector<double> s(logits.begin(), logits.end());
  size_t last = o.repeat_last_n < 0
                    ? history.size()
                    : std::min(history.size(), static_cast<size_t>(o.repeat_last_n));
  for (size_t id = 0; id < n; ++id) {
    bool seen = std::find(history.end() - static_cast<long>(last), history.end(),
                          static_cast<int32_t>(id)) != history.end();
    if (seen) s[id] = s[id] < 0 ? s[id] * o.repeat_penalty : s[id] / o.repeat_penalty;
  }
  for (double& x : s) x /= o.temperature;
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return s[a] > s[b]; });
  if (o.top_k > 0 && static_cast<size_t>(o.top_k) < n) {
    double least = s[order[static_cast<size_t>(o.top_k) - 1]];
    for (double& x : s)
      if (x < least) x = -inf;
  }
  auto softmax = [&] {
    std::vector<double> p(n);
    double largest = *std::max_element(s.begin(), s.end()), sum = 0;
    for (size_t i = 0; i < n; ++i) sum += p[i] = std::exp(s[i] - largest);
    for (double& x : p) x /= sum;
    return p;
  };
  std::vector<double> p = softmax();
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    if (i > 0 && sum >= o.top_p) s[order[i]] = -inf;
    sum += p[order[i]];
  }
  return softmax();
}

// Draws `count` tokens at as many positions and compares with the reference: nothing outside its
// support, and Pearson's chi-square below its mean + 5 standard deviations.
void expect_distribution(const SamplingOptions& o, const std::vector<float>& logits,
                         const std::vector<int32_t>& recent, int count = 20000) {
  Sampler sampler(o, static_cast<int64_t>(logits.size()));
  std::vector<double> p = reference(o, logits, recent);
  std::vector<double> seen(logits.size());
  // Positions differ by the length of the history; its last tokens are always `recent`.
  std::vector<int32_t> history(static_cast<size_t>(count), 0);
  history.insert(history.end(), recent.begin(), recent.end());
  for (int i = 0; i < count; ++i) {
    std::span<const int32_t> past(history);
    int32_t id = sampler.next(logits, past.subspan(static_cast<size_t>(i)));
    ASSERT_TRUE(id >= 0 && static_cast<size_t>(id) < logits.size());
    ++seen[static_cast<size_t>(id)];
  }
  double chi = 0, freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(seen[i], 0) << "token " << i << " is filtered out";
      continue;
    }
    double expected = p[i] * count;
    chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    freedom += 1;
  }
  EXPECT_LE(chi, freedom + 5 * std::sqrt(2 * freedom + 1));
}

const std::vector<float> logits = {1.0f, 0.5f, -0.3f, 2.0f, 2.0f, -1.0f, 0.0f, 0.7f, -2.0f, 1.2f};
const std::vector<int32_t> recent = {3, 5, 3, 9};

SamplingOptions with_seed(uint64_t seed) {
  SamplingOptions o;
  o.seed = seed;
  o.repeat_last_n = 4;
  return o;
}

TEST(Sampler, PlainSoftmax) { expect_distribution(with_seed(1), logits, recent); }

TEST(Sampler, Temperature) {
  for (double t : {0.3, 0.7, 2.5}) {
    auto o = with_seed(2);
    o.temperature = t;
    expect_distribution(o, logits, recent);
  }
}

TEST(Sampler, TopKKeepsTies) {
  for (int k : {1, 2, 3, 5, 10, 50}) {
    auto o = with_seed(3);
    o.top_k = k;
    expect_distribution(o, logits, recent);
  }
}

TEST(Sampler, TopP) {
  for (double p : {1e-9, 0.3, 0.5, 0.9, 0.999}) {
    auto o = with_seed(4);
    o.top_p = p;
    expect_distribution(o, logits, recent);
  }
}

TEST(Sampler, RepetitionPenalty) {
  for (double penalty : {0.5, 1.3, 4.0}) {
    auto o = with_seed(5);
    o.repeat_penalty = penalty;
    expect_distribution(o, logits, recent);
  }
}

TEST(Sampler, AllTogetherInTransformersOrder) {
  auto o = with_seed(6);
  o.temperature = 0.8;
  o.top_k = 6;
  o.top_p = 0.85;
  o.repeat_penalty = 1.7;
  expect_distribution(o, logits, recent);
}

// More tokens than are sorted at once.
TEST(Sampler, LargeVocabularyTopP) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> many(1000);
  for (float& x : many) x = normal(random);
  auto o = with_seed(7);
  o.top_p = 0.8;
  expect_distribution(o, many, recent, 30000);
}

TEST(Sampler, MinusInfinityExcludesAToken) {
  std::vector<float> some = logits;
  some[3] = some[4] = -inf;
  expect_distribution(with_seed(8), some, recent);
}

TEST(Sampler, TinyAndHugeTemperatures) {
  auto o = with_seed(9);
  o.temperature = 1e-300;
  std::vector<float> distinct = {1.0f, 3.0f, 2.0f};
  Sampler cold(o, 3);
  EXPECT_EQ(cold.next(distinct, {}), 1);
  o.temperature = 1e300;
  expect_distribution(o, distinct, {});
}

TEST(Sampler, GreedyTakesTheLowestIdOfTheLargest) {
  SamplingOptions o;
  o.temperature = 0;
  Sampler sampler(o, 10);
  EXPECT_EQ(sampler.next(logits, {}), 3);
  o.repeat_penalty = 1.5;
  Sampler penalised(o, 10);
  EXPECT_EQ(penalised.next(logits, recent), 4);  // 3 is penalised
  o.repeat_last_n = 1;
  Sampler short_memory(o, 10);
  EXPECT_EQ(short_memory.next(logits, recent), 3);
}

TEST(Sampler, PenaltyCountsATokenOnce) {
  SamplingOptions o;
  o.temperature = 0;
  o.repeat_penalty = 1.5;
  Sampler sampler(o, 3);
  const std::vector<float> scores = {2.0f, 1.2f, -1.0f};
  // Twice penalised, token 0 would fall to 0.89.
  EXPECT_EQ(sampler.next(scores, std::vector<int32_t>{0, 0, 0}), 0);
  EXPECT_EQ(sampler.next(scores, std::vector<int32_t>{}), 0);
}

TEST(Sampler, TheSameSeedAndPositionGiveTheSameToken) {
  std::vector<int32_t> a, b, c;
  Sampler first(with_seed(42), 10), second(with_seed(42), 10), other(with_seed(43), 10);
  for (int i = 0; i < 100; ++i) {
    a.push_back(first.next(logits, a));
    c.push_back(other.next(logits, c));
  }
  EXPECT_NE(a, c);
  // A text is continued from the middle by a fresh sampler.
  b.assign(a.begin(), a.begin() + 50);
  for (int i = 50; i < 100; ++i) b.push_back(second.next(logits, b));
  EXPECT_EQ(a, b);
}

TEST(Sampler, LogitsThatAreNotFiniteAreNamed) {
  for (double temperature : {0.0, 1.0}) {
    SamplingOptions o;
    o.temperature = temperature;
    Sampler sampler(o, 10);
    for (float bad : {nan, inf}) {
      std::vector<float> some = logits;
      some[7] = bad;
      try {
        sampler.next(some, recent);
        FAIL() << "accepted " << bad;
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("token 7 at position 4"), std::string::npos)
            << e.what();
      }
    }
    EXPECT_THROW(sampler.next(std::vector<float>(10, -inf), recent), Error);
    EXPECT_EQ(
        sampler.next(std::vector<float>{-inf, -inf, 1, -inf, -inf, -inf, -inf, -inf, -inf, -inf},
                     recent),
        2);
  }
}

TEST(Sampler, BadOptionsAreUsageErrors) {
  auto expect_refused = [](auto change, const char* option) {
    SamplingOptions o;
    change(o);
    try {
      Sampler sampler(o, 10);
      FAIL() << "accepted " << option;
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find(option), std::string::npos) << e.what();
    }
  };
  expect_refused([](auto& o) { o.temperature = -1; }, "--temperature");
  expect_refused([](auto& o) { o.temperature = nan; }, "--temperature");
  expect_refused([](auto& o) { o.top_k = -1; }, "--top-k");
  expect_refused([](auto& o) { o.top_p = 0; }, "--top-p");
  expect_refused([](auto& o) { o.top_p = 1.5; }, "--top-p");
  expect_refused([](auto& o) { o.top_p = nan; }, "--top-p");
  expect_refused([](auto& o) { o.repeat_penalty = 0; }, "--repeat-penalty");
  expect_refused([](auto& o) { o.repeat_penalty = inf; }, "--repeat-penalty");
  expect_refused([](auto& o) { o.repeat_last_n = -2; }, "--repeat-last-n");
}

}  // namespace
}  // namespace anneal
