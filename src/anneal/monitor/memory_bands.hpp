#pragma once

#include <vector>

#include "anneal/monitor/memory_timeline.hpp"

namespace anneal {

// A part of the arena's map: one value, or neighbours too thin to be told apart.
struct MemoryBand {
  const MemoryRectangle* value = nullptr;       // the lowest
  const MemoryRectangle* last_value = nullptr;  // the highest; the same as `value` if alone
  size_t values = 1;
  size_t memory_class = 0;      // index into the names of classes
  int64_t offset = 0, end = 0;  // bytes from the start of the arena, with gaps between the values
  int64_t bytes = 0;            // sum over the values
  double first = 0, last = 0;   // positions, within the axis
};

// Whether a rectangle has bytes, a place and a time.
bool is_drawable(const MemoryRectangle& rectangle);

// Names of all classes: the timeline's, then others as they appear in its rectangles.
std::vector<std::string> memory_classes(const MemoryTimeline& timeline);

// What the x axis spans.
struct MemorySpan {
  double begin = 0, end = 1;
};
MemorySpan memory_span(const MemoryTimeline& timeline);

// What to draw, by begin and place. Values thinner than `thin` bytes that live equally long, have
// one class and no gap of `thin` / 4 bytes between them become one band.
std::vector<MemoryBand> memory_bands(const MemoryTimeline& timeline, MemorySpan span, double thin);

}  // namespace anneal
