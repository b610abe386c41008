#include "anneal/monitor/memory_bands.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>

namespace anneal {
namespace {

bool joins(const MemoryBand& below, const MemoryBand& band, double thin) {
  const double gap = static_cast<double>(band.offset - below.end);
  return below.memory_class == band.memory_class && below.first == band.first &&
         below.last == band.last && static_cast<double>(below.value->bytes) < thin &&
         static_cast<double>(band.bytes) < thin && gap >= 0 && gap < thin / 4;
}

}  // namespace

bool is_drawable(const MemoryRectangle& r) {
  return r.bytes > 0 && r.offset >= 0 && r.last > r.first;
}

std::vector<std::string> memory_classes(const MemoryTimeline& timeline) {
  std::vector<std::string> names = timeline.classes;
  for (const auto& r : timeline.rectangles)
    if (std::find(names.begin(), names.end(), r.memory_class) == names.end())
      names.push_back(r.memory_class);
  return names;
}

MemorySpan memory_span(const MemoryTimeline& timeline) {
  if (timeline.begin < timeline.end && std::isfinite(timeline.end - timeline.begin))
    return {timeline.begin, timeline.end};
  double begin = std::numeric_limits<double>::infinity(), end = -begin;
  const auto reach = [&](double position) {
    if (!std::isfinite(position)) return;
    begin = std::min(begin, position);
    end = std::max(end, position);
  };
  for (const auto& r : timeline.rectangles) {
    reach(r.first);
    reach(r.last);
  }
  for (const auto& mark : timeline.marks) reach(mark.position);
  for (const auto& point : timeline.live) reach(point.position);
  if (!(begin <= end)) return {};
  return begin < end ? MemorySpan{begin, end} : MemorySpan{begin, begin + 1};
}

std::vector<MemoryBand> memory_bands(const MemoryTimeline& timeline, MemorySpan span, double thin) {
  const auto classes = memory_classes(timeline);
  std::map<std::string_view, size_t> class_index;
  for (size_t i = 0; i < classes.size(); ++i) class_index.emplace(classes[i], i);

  std::vector<MemoryBand> all;
  all.reserve(timeline.rectangles.size());
  for (const auto& r : timeline.rectangles) {
    const double first = std::max(r.first, span.begin), last = std::min(r.last, span.end);
    if (!is_drawable(r) || !(first < last)) continue;
    all.push_back({&r, &r, 1, class_index.at(r.memory_class), r.offset, r.offset + r.bytes, r.bytes,
                   first, last});
  }
  // Those that may be joined come one after the other.
  std::stable_sort(all.begin(), all.end(), [](const MemoryBand& a, const MemoryBand& b) {
    return std::tie(a.first, a.last, a.memory_class, a.offset) <
           std::tie(b.first, b.last, b.memory_class, b.offset);
  });
  std::vector<MemoryBand> bands;
  for (const MemoryBand& band : all) {
    if (bands.empty() || !joins(bands.back(), band, thin)) {
      bands.push_back(band);
      continue;
    }
    MemoryBand& below = bands.back();
    below.last_value = band.last_value;
    below.end = band.end;
    below.bytes += band.bytes;
    ++below.values;
  }
  return bands;
}

}  // namespace anneal
