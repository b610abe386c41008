#include "anneal/monitor/memory_curve.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/monitor/plot_text.hpp"

namespace anneal {
namespace {

// The points within the span; the value that holds where it begins comes as a point there.
std::vector<LivePoint> within(const std::vector<LivePoint>& live, MemorySpan span) {
  std::vector<LivePoint> points;
  for (const LivePoint& point : live) {
    if (!(point.position < span.end)) break;
    if (point.position > span.begin || points.empty())
      points.push_back(point);
    else
      points.front() = point;
  }
  if (!points.empty()) points.front().position = std::max(points.front().position, span.begin);
  return points;
}

}  // namespace

const LivePoint* peak_of(const std::vector<LivePoint>& live, MemorySpan span) {
  const LivePoint* peak = nullptr;
  for (size_t i = 0; i < live.size(); ++i) {
    const bool over = i + 1 < live.size() && live[i + 1].position <= span.begin;
    if (over || !(live[i].position < span.end)) continue;
    if (!peak || live[i].bytes > peak->bytes) peak = &live[i];
  }
  return peak;
}

std::string live_path(const std::vector<LivePoint>& live, MemorySpan span, const Box& box,
                      double top, bool closed) {
  const auto points = within(live, span);
  if (points.empty()) return {};
  const auto x = [&](double position) {
    return box.x + (position - span.begin) / (span.end - span.begin) * box.width;
  };
  const double base = box.y + box.height;
  const auto y = [&](int64_t bytes) {
    return base - static_cast<double>(bytes) / top * box.height;
  };
  std::string path;
  const auto append = [&](char command, double value) {
    path += command;
    path += shortest_fixed(value, 2);
  };
  const double left = x(points.front().position);
  append('M', left);
  append(' ', closed ? base : y(points.front().bytes));
  for (size_t i = 0; i < points.size();) {
    const double column = std::floor(2 * x(points[i].position));
    size_t end = i;
    auto [low, high] = std::pair{points[i].bytes, points[i].bytes};
    for (; end < points.size() && std::floor(2 * x(points[end].position)) == column; ++end) {
      low = std::min(low, points[end].bytes);
      high = std::max(high, points[end].bytes);
    }
    append('H', x(points[i].position));
    if (end - i > 2) {
      append('V', y(low));
      append('V', y(high));
      append('V', y(points[end - 1].bytes));
      i = end;
    } else {
      append('V', y(points[i].bytes));
      ++i;
    }
  }
  append('H', x(span.end));
  if (closed) {
    append('V', base);
    path += 'Z';
  }
  return path;
}

}  // namespace anneal
