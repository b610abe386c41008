#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anneal {

// A value's place in the arena while it lives. Positions are seconds or node numbers (see
// MemoryTimeline::axis); the value lives from `first` up to, not including, `last`. Infinities are
// fine: a persistent value lives from -infinity to infinity.
struct MemoryRectangle {
  std::string name;
  std::string memory_class;  // "weights", "activations", …
  int64_t offset = 0;        // bytes from the start of the arena
  int64_t bytes = 0;
  double first = 0;
  double last = 0;
};

// A boundary on the x axis; the label names what lies between it and the next mark of its level.
struct MemoryMark {
  double position = 0;
  std::string label;
  int level = 0;  // 0: phases (forward, backward, update); 1: their parts, such as layers
};

// From `position` to that of the next point, `bytes` are live.
struct LivePoint {
  double position = 0;
  int64_t bytes = 0;
};

struct MemoryTimeline {
  enum class Axis { seconds, nodes };

  std::string title;
  std::string subtitle;
  Axis axis = Axis::seconds;
  int64_t arena_bytes = 0;
  // In the order of legend and colours; classes of rectangles that are missing here follow.
  std::vector<std::string> classes;
  std::vector<MemoryRectangle> rectangles;
  std::vector<MemoryMark> marks;
  std::vector<LivePoint> live;  // by ascending position; empty: no curve
  // What the x axis spans; unless begin < end, all finite positions above.
  double begin = 0;
  double end = 0;
};

// A self-contained SVG drawing of two panels over one x axis: the curve of live bytes, and the
// map of the arena with one rectangle for each value (y: bytes from the start of the arena),
// coloured by class, with a legend and name, size, place and time as tooltips. The curve is exact
// to half a pixel and its peak is stated in bytes, however many points there are. Neighbours
// thinner than a pixel that live equally long and have one class are drawn as one rectangle; what
// then still covers less than 0.2 square pixels is left out, and the drawing says how many values
// that are. Rectangles with positions that are not numbers or without bytes count as nothing.
// Without rectangles and curve the drawing says so.
std::string memory_timeline_svg(const MemoryTimeline& timeline);

}  // namespace anneal
