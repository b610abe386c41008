#include "anneal/monitor/chart_path.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "anneal/monitor/plot_text.hpp"

namespace anneal {

std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& line) {
  std::vector<ChartPoint> out;
  for (size_t begin = 0, end = 0; begin < line.size(); begin = end) {
    const double column = std::floor(line[begin].x);
    size_t low = begin, high = begin;
    for (end = begin; end < line.size() && std::floor(line[end].x) == column; ++end) {
      if (line[end].y < line[low].y) low = end;
      if (line[end].y > line[high].y) high = end;
    }
    std::array<size_t, 4> kept = {begin, std::min(low, high), std::max(low, high), end - 1};
    for (size_t i = 0; i < kept.size(); ++i)
      if (i == 0 || kept[i] != kept[i - 1]) out.push_back(line[kept[i]]);
  }
  return out;
}

std::string path_data(const PixelLines& lines) {
  std::string data;
  for (const auto& line : lines) {
    if (line.size() < 2) continue;
    char command = 'M';
    for (const ChartPoint& point : thinned(line)) {
      data += command;
      data.append(shortest_fixed(point.x, 1)).append(" ").append(shortest_fixed(point.y, 1));
      command = 'L';
    }
  }
  return data;
}

std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points, size_t window) {
  const size_t n = points.size(), before = window / 2, after = (window - 1) / 2;
  // Sums from the left, which grow slowly enough for FP64.
  std::vector<double> sums(n + 1, 0);
  std::vector<size_t> counts(n + 1, 0);
  for (size_t i = 0; i < n; ++i) {
    const bool finite = std::isfinite(points[i].y);
    sums[i + 1] = sums[i] + (finite ? points[i].y : 0);
    counts[i + 1] = counts[i] + finite;
  }
  std::vector<ChartPoint> out = points;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(points[i].y)) continue;
    const size_t begin = i < before ? 0 : i - before, end = std::min(n, i + after + 1);
    out[i].y = (sums[end] - sums[begin]) / static_cast<double>(counts[end] - counts[begin]);
  }
  return out;
}

}  // namespace anneal
