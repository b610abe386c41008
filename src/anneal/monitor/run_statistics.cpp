#include "anneal/monitor/run_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace anneal {
namespace {

// The median of the distances from the mean of a normal distribution with deviation 1.
constexpr double median_deviation = 0.6745;

double at_share(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

void drop_non_finite(std::vector<double>& values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
}

}  // namespace

std::optional<Quartiles> quartiles_of(std::vector<double> values) {
  drop_non_finite(values);
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return Quartiles{at_share(values, 0.25), at_share(values, 0.5), at_share(values, 0.75),
                   values.size()};
}

std::optional<NoisyMean> last_mean(const std::vector<double>& values, size_t window) {
  const size_t begin = values.size() - std::min(window, values.size());
  std::vector<double> last(values.begin() + static_cast<std::ptrdiff_t>(begin), values.end());
  drop_non_finite(last);
  if (last.empty()) return {};
  const auto n = static_cast<double>(last.size());
  NoisyMean result;
  for (double value : last) result.mean += value / n;
  double squares = 0;
  for (size_t i = 1; i < last.size(); ++i)
    squares += (last[i] - last[i - 1]) * (last[i] - last[i - 1]);
  if (last.size() > 1) result.error = std::sqrt(squares / 2 / (n - 1) / n);
  return result;
}

std::optional<double> noise_about_curve(const std::vector<double>& values) {
  std::vector<double> distances;
  for (size_t i = 3; i < values.size(); ++i)
    distances.push_back(
        std::abs(values[i] - 3 * values[i - 1] + 3 * values[i - 2] - values[i - 3]));
  auto quartiles = quartiles_of(std::move(distances));
  if (!quartiles || quartiles->count < 3) return {};
  // Such a difference has 1 + 9 + 9 + 1 times the variance of a point.
  return quartiles->median / median_deviation / std::sqrt(20.0);
}

}  // namespace anneal
