#pragma once

#include <string>
#include <vector>

namespace anneal {

// Time spent in the innermost frame of a stack.
struct FlameStack {
  std::vector<std::string> frames;  // from root to leaf: {"forward", "h.3", "attn", "matmul"}
  double seconds = 0;
};

struct FlameGraph {
  std::string title;
  std::string subtitle;            // "docs-small, mean of 20 steps on 8 threads"; "": none
  std::vector<FlameStack> stacks;  // equal ones are added
  double width = 1200;             // pixels, at least 400
};

// A self-contained SVG drawing: root at the bottom, what it called above it, widths proportional to
// time, siblings in the order of their first appearance, name, time and share of the total as
// tooltip of each frame. Where the stacks begin with different frames, a frame "all" is put below
// them. Frames narrower than 0.3 pixels are not drawn. Stacks without frames and times that are not
// finite and positive count as nothing. Without any time the drawing says so.
std::string flame_graph_svg(const FlameGraph& graph);

}  // namespace anneal
