#pragma once

#include <optional>
#include <vector>

namespace anneal {

// Where the values of a sample lie.
struct Quartiles {
  double low = 0, median = 0, high = 0;  // a quarter, half, three quarters are below
  size_t count = 0;
};

// Quartiles of the finite ones, linearly between neighbours; nothing if there is none.
std::optional<Quartiles> quartiles_of(std::vector<double> values);

// A mean and the standard error that the noise from value to value gives it.
struct NoisyMean {
  double mean = 0;
  double error = 0;
};

// The mean of the finite ones among the last `window` values; the noise is taken from the
// differences of neighbours, so that a trend does not count as noise. Nothing if none is finite.
std::optional<NoisyMean> last_mean(const std::vector<double>& values, size_t window);

// The noise of a smooth curve's points, as a standard deviation: from the median of their third
// differences, in which neither slope nor curvature counts. Nothing with fewer than six points.
std::optional<double> noise_about_curve(const std::vector<double>& values);

}  // namespace anneal
