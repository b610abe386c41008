#include "anneal/monitor/flame_graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/svg.hpp"

namespace anneal {
namespace {

constexpr double margin = 16, row_height = 20, font_size = 11, narrowest = 0.3;
constexpr double header_height = 62, axis_height = 34;

constexpr std::string_view css = R"(.flame-graph text {
  font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f1a17;
  pointer-events: none;
}
.flame-graph .frame text { font-size: 11px; }
.flame-graph .title { font-size: 17px; font-weight: bold; }
.flame-graph .subtitle { font-size: 13px; fill: #5f5853; }
.flame-graph .tick { font-size: 11px; fill: #5f5853; text-anchor: middle; }
.flame-graph .tick-line { stroke: #b5aca5; }
.flame-graph .empty { font-size: 14px; fill: #5f5853; text-anchor: middle; }
.flame-graph .frame rect { stroke: #ffffff; stroke-width: 0.6; }
.flame-graph .frame .thin { stroke: none; }
.flame-graph .frame:hover rect { stroke: #1f1a17; stroke-width: 1.2; }
)";

constexpr std::string_view root_colour = "#e6ded6";

// A colour between apricot and straw, more or less pale: warm, restrained and light enough for dark
// text. Digits of the name do not count: h.3 and h.11 are the same kind of thing and look alike.
std::string colour_of(std::string_view name) {
  constexpr std::array<double, 3> apricot = {236, 152, 122}, straw = {244, 218, 130};
  uint64_t hash = 0xCBF29CE484222325;  // FNV-1a, which any program can repeat
  for (char c : name)
    if (c < '0' || c > '9') hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash ^= hash >> 32;
  const double hue = static_cast<double>(hash & 0xFF) / 255;
  const double pale = static_cast<double>(hash >> 8 & 0xFF) / 255 * 0.35;
  std::string colour = "#";
  for (size_t i = 0; i < 3; ++i) {
    const double full = apricot[i] + hue * (straw[i] - apricot[i]);
    const auto value = static_cast<unsigned>(std::lround(full + pale * (255 - full)));
    colour += "0123456789abcdef"[value / 16];
    colour += "0123456789abcdef"[value % 16];
  }
  return colour;
}

struct Frame {
  std::string_view name;
  size_t parent = 0;
  int depth = 0;
  double seconds = 0;  // with all that is above it
  double begin = 0;    // seconds from the left edge
  double filled = 0;   // seconds of it that children placed so far cover
};

// The merged stacks. A frame comes after its parent and after siblings that appeared before it;
// frame 0 is the root.
std::vector<Frame> merge_stacks(const std::vector<FlameStack>& stacks) {
  std::vector<Frame> frames = {{"all"}};
  std::map<std::pair<size_t, std::string_view>, size_t> index;
  for (const auto& stack : stacks) {
    if (stack.frames.empty() || !(stack.seconds > 0) || !std::isfinite(stack.seconds)) continue;
    size_t at = 0;
    frames[0].seconds += stack.seconds;
    for (const auto& name : stack.frames) {
      auto [it, fresh] = index.try_emplace({at, name}, frames.size());
      if (fresh) frames.push_back({name, at, frames[at].depth + 1});
      at = it->second;
      frames[at].seconds += stack.seconds;
    }
  }
  for (size_t i = 1; i < frames.size(); ++i) {
    Frame& parent = frames[frames[i].parent];
    frames[i].begin = parent.begin + parent.filled;
    parent.filled += frames[i].seconds;
  }
  const auto roots =
      std::count_if(frames.begin(), frames.end(), [](auto& f) { return f.depth == 1; });
  if (roots == 1) {
    frames.erase(frames.begin());
    for (Frame& frame : frames) --frame.depth;
  }
  return frames;
}

// "12.35 ms, 8.1 %"
std::string time_and_share(double seconds, double total) {
  std::string text = format_seconds(seconds);
  return text.append(", ").append(format_percent(seconds, total));
}

std::string tooltip_of(const Frame& frame, double total) {
  std::string text(frame.name);
  text.append("\n").append(time_and_share(frame.seconds, total));
  const double self = frame.seconds - frame.filled;
  if (frame.filled > 0 && self > 1e-6 * frame.seconds)
    text.append("\nitself ").append(time_and_share(self, total));
  return text;
}

void draw_frame(SvgWriter& svg, const Frame& frame, const Box& box, double total) {
  svg.open_group("frame", tooltip_of(frame, total));
  const std::string colour = frame.depth == 0 ? std::string(root_colour) : colour_of(frame.name);
  // An outline would swallow a narrow frame.
  svg.rect(box, {box.width < 3 ? "thin" : "wide", colour});
  constexpr double padding = 3;
  auto label = clip_text(frame.name, box.width - 2 * padding, font_size);
  if (!label.empty()) svg.text(box.x + padding, box.y + 14, label, "label");
  svg.close_group();
}

void draw_axis(SvgWriter& svg, double y, double width, double total) {
  const AxisUnit unit = seconds_unit(total);
  const double scale = width / (total / unit.size);
  svg.line(margin, y, margin + width, y, "tick-line");
  const Ticks ticks = round_ticks(0, total / unit.size, static_cast<int>(width / 100));
  for (double at : ticks.at) {
    const double x = margin + at * scale;
    const auto label = fixed(at, ticks.decimals) + " " + unit.name;
    svg.line(x, y, x, y + 5, "tick-line");
    const double half = text_width(label, 11) / 2;
    svg.text(std::clamp(x, margin + half, margin + width - half), y + 18, label, "tick");
  }
}

void draw_header(SvgWriter& svg, const FlameGraph& graph, double width, double total) {
  svg.text(margin, 27, clip_text(graph.title, width, 18), "title");
  const std::string sum = "total " + format_seconds(total);
  const auto line = graph.subtitle.empty() ? sum : graph.subtitle + " · " + sum;
  svg.text(margin, 47, clip_text(line, width, 13), "subtitle");
}

}  // namespace

std::string flame_graph_svg(const FlameGraph& graph) {
  const auto frames = merge_stacks(graph.stacks);
  const double total = frames[0].seconds;
  const double width = std::max(graph.width, 400.0) - 2 * margin;
  const double scale = total > 0 ? width / total : 0;

  int rows = 2;
  for (const Frame& frame : frames)
    if (frame.seconds * scale >= narrowest) rows = std::max(rows, frame.depth + 1);
  const double base = header_height + rows * row_height;
  SvgWriter svg("flame-graph", graph.title, css);
  draw_header(svg, graph, width, total);
  if (!(total > 0)) {
    svg.text(margin + width / 2, header_height + row_height, "No time was recorded.", "empty");
    return svg.finish(width + 2 * margin, base + axis_height);
  }
  for (const Frame& frame : frames) {
    const double frame_width = frame.seconds * scale;
    if (frame_width < narrowest) continue;
    const Box box{margin + frame.begin * scale, base - (frame.depth + 1) * row_height, frame_width,
                  row_height};
    draw_frame(svg, frame, box, total);
  }
  draw_axis(svg, base + 4, width, total);
  return svg.finish(width + 2 * margin, base + axis_height);
}

}  // namespace anneal
