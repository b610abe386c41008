#include "anneal/monitor/memory_timeline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "anneal/monitor/memory_bands.hpp"
#include "anneal/monitor/memory_curve.hpp"
#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/svg.hpp"

namespace anneal {
namespace {

constexpr double page_width = 1200, left = 92, right = 20, plot_width = page_width - left - right;
constexpr double live_height = 120, map_height = 480, panel_gap = 14, axis_height = 50;
constexpr double legend_row = 22, mark_row = 17, smallest_area = 0.2;

constexpr std::string_view css = R"(.memory-timeline text {
  font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 12px; fill: #20242a;
  pointer-events: none;
}
.memory-timeline .title { font-size: 17px; font-weight: bold; }
.memory-timeline .subtitle { font-size: 13px; fill: #565d66; }
.memory-timeline .legend { font-size: 12px; }
.memory-timeline .panel-title { font-size: 12px; fill: #565d66; text-anchor: middle; }
.memory-timeline .axis-title { font-size: 12px; fill: #565d66; text-anchor: middle; }
.memory-timeline .tick-x { font-size: 11px; fill: #565d66; text-anchor: middle; }
.memory-timeline .tick-y { font-size: 11px; fill: #565d66; text-anchor: end; }
.memory-timeline .note { font-size: 11px; fill: #565d66; }
.memory-timeline .phase { font-weight: bold; }
.memory-timeline .part { font-size: 10px; fill: #565d66; text-anchor: middle; }
.memory-timeline .empty { font-size: 14px; fill: #565d66; text-anchor: middle; }
.memory-timeline .panel { fill: #f6f7f8; }
.memory-timeline .grid { stroke: #dfe3e6; stroke-width: 1; }
.memory-timeline .edge { stroke: #8b939c; stroke-width: 1; }
.memory-timeline .arena { stroke: #b3261e; stroke-width: 1; stroke-dasharray: 5 3; }
.memory-timeline .phase-line { stroke: #20242a; stroke-width: 1; stroke-opacity: 0.75; }
.memory-timeline .part-line { stroke: #20242a; stroke-width: 0.6; stroke-opacity: 0.22; }
.memory-timeline .value { stroke: #ffffff; stroke-width: 0.6; }
.memory-timeline .thin { stroke: none; }
.memory-timeline .value:hover, .memory-timeline .thin:hover { stroke: #20242a; stroke-width: 1.2; }
.memory-timeline .inside { font-size: 10px; fill: #20242a; }
.memory-timeline .area { fill: #33506e; fill-opacity: 0.16; }
.memory-timeline .curve { fill: none; stroke: #33506e; stroke-width: 1.4; }
.memory-timeline .peak { fill: #b3261e; stroke: #ffffff; stroke-width: 1.2; }
)";

// Light enough for dark text; neighbours differ in hue and in lightness.
constexpr std::array<std::string_view, 10> palette = {"#7fa6d1", "#f0b072", "#b49ad0", "#8cc5b9",
                                                      "#a3c982", "#e39a94", "#d8c56a", "#c3b5a6",
                                                      "#e4aecb", "#9fb0bf"};

// What all parts of the drawing need to know.
struct Plot {
  const MemoryTimeline& timeline;
  MemorySpan span;
  std::vector<std::string> classes;
  std::vector<MemoryBand> bands;
  const LivePoint* peak = nullptr;
  double top = 1;  // bytes at the upper edge of the map
  Box live, map;   // panels; without height if there is nothing to show

  bool empty() const { return bands.empty() && !peak; }
  double x(double position) const {
    return left + (position - span.begin) / (span.end - span.begin) * plot_width;
  }
  double y(double bytes) const { return map.y + map.height * (1 - bytes / top); }
  // The panel of the curve has room above the arena's line.
  double live_top() const { return 1.1 * top; }
};

Plot prepare(const MemoryTimeline& timeline) {
  Plot plot{timeline, memory_span(timeline), memory_classes(timeline)};
  plot.peak = peak_of(timeline.live, plot.span);
  int64_t top = std::max<int64_t>(timeline.arena_bytes, 1);
  if (plot.peak) top = std::max(top, plot.peak->bytes);
  for (const auto& r : timeline.rectangles)
    if (is_drawable(r)) top = std::max(top, r.offset + r.bytes);
  plot.top = static_cast<double>(top);
  plot.bands = memory_bands(timeline, plot.span, plot.top / map_height);
  return plot;
}

std::string format_position(const MemoryTimeline& timeline, double position) {
  if (timeline.axis == MemoryTimeline::Axis::seconds) return format_seconds(position);
  return "node " + shortest_fixed(position, 0);
}

void draw_header(SvgWriter& svg, const Plot& plot) {
  const MemoryTimeline& timeline = plot.timeline;
  const auto arena = static_cast<double>(timeline.arena_bytes);
  std::string line = timeline.subtitle;
  if (!line.empty()) line += " · ";
  line += "arena " + format_bytes(arena);
  if (plot.peak) {
    const auto peak = static_cast<double>(plot.peak->bytes);
    line += ", of which at most " + format_bytes(peak) + " live";
    if (arena > 0) line += " (" + format_percent(peak, arena) + ")";
    line += " at " + format_position(timeline, std::max(plot.peak->position, plot.span.begin));
  }
  svg.text(16, 27, clip_text(timeline.title, page_width - 32, 18), "title");
  svg.text(16, 47, clip_text(line, page_width - 32, 13), "subtitle");
}

// Samples and their names from left to right, in as many rows as they need. Returns the y below.
double draw_legend(SvgWriter& svg, const Plot& plot, double y) {
  constexpr double sample = 14, space = 6, gap = 18;
  double x = left;
  y += legend_row;
  const auto place = [&](std::string_view name, auto&& draw_sample) {
    const auto label = clip_text(name, 240, 12);
    const double width = sample + space + text_width(label, 12);
    if (x + width > left + plot_width && x > left) {
      x = left;
      y += legend_row;
    }
    draw_sample(x);
    svg.text(x + sample + space, y, label, "legend");
    x += width + gap;
  };
  for (size_t i = 0; i < plot.classes.size(); ++i) {
    const auto in_class = [i](const MemoryBand& band) { return band.memory_class == i; };
    if (std::none_of(plot.bands.begin(), plot.bands.end(), in_class)) continue;
    place(plot.classes[i], [&](double at) {
      svg.rect({at, y - 10, sample, 12}, {"sample", palette[i % palette.size()]});
    });
  }
  if (plot.peak) {
    place("live", [&](double at) { svg.line(at, y - 4, at + sample, y - 4, "curve"); });
    place("peak", [&](double at) { svg.circle(at + sample / 2, y - 4, 4, "peak"); });
    place("arena", [&](double at) { svg.line(at, y - 4, at + sample, y - 4, "arena"); });
  }
  return y + 12;
}

void draw_y_axis(SvgWriter& svg, const Box& panel, double top, int most, std::string_view title) {
  const AxisUnit unit = bytes_unit(top);
  const Ticks ticks = round_ticks(0, top / unit.size, most);
  for (double at : ticks.at) {
    const double y = panel.y + panel.height * (1 - at * unit.size / top);
    svg.line(panel.x, y, panel.x + panel.width, y, "grid");
    svg.text(panel.x - 8, y + 4, fixed(at, ticks.decimals) + " " + unit.name, "tick-y");
  }
  svg.vertical_text(20, panel.y + panel.height / 2, title, "panel-title");
}

void draw_x_axis(SvgWriter& svg, const Plot& plot, double y) {
  const bool seconds = plot.timeline.axis == MemoryTimeline::Axis::seconds;
  const double largest = std::max(std::abs(plot.span.begin), std::abs(plot.span.end));
  const AxisUnit unit = seconds ? seconds_unit(largest) : AxisUnit{"", 1};
  const Ticks ticks = round_ticks(plot.span.begin / unit.size, plot.span.end / unit.size, 12);
  for (double at : ticks.at) {
    const double x = plot.x(at * unit.size);
    const std::string label = fixed(at, ticks.decimals) + (seconds ? " " : "") + unit.name;
    svg.line(x, y, x, y + 5, "edge");
    svg.text(std::min(x, page_width - 4 - text_width(label, 11) / 2), y + 18, label, "tick-x");
  }
  svg.text(left + plot_width / 2, y + 38, seconds ? "time in the step" : "node of the program",
           "axis-title");
}

std::string tooltip_of(const Plot& plot, const MemoryBand& band) {
  std::string text = band.value->name;
  if (band.values > 1)
    text += " … " + band.last_value->name + " (" + std::to_string(band.values) + " values)";
  text += "\n" + plot.classes[band.memory_class] + ", " +
          format_bytes(static_cast<double>(band.bytes)) + " at " +
          format_bytes(static_cast<double>(band.offset));
  if (band.first == plot.span.begin && band.last == plot.span.end) return text + "\nalways live";
  return text + "\nlive from " + format_position(plot.timeline, band.first) + " to " +
         format_position(plot.timeline, band.last);
}

void draw_map(SvgWriter& svg, const Plot& plot) {
  size_t dropped_values = 0;
  int64_t largest_dropped = 0;
  for (const MemoryBand& band : plot.bands) {
    const double x = plot.x(band.first), y = plot.y(static_cast<double>(band.end));
    const Box box{x, y, plot.x(band.last) - x, plot.y(static_cast<double>(band.offset)) - y};
    if (box.width * box.height < smallest_area) {
      dropped_values += band.values;
      largest_dropped = std::max(largest_dropped, band.bytes);
      continue;
    }
    const bool thin = box.width < 3 || box.height < 3;
    svg.rect(box, {thin ? "thin" : "value", palette[band.memory_class % palette.size()]},
             tooltip_of(plot, band));
    if (box.height < 12) continue;
    const auto& name = band.values > 1 ? plot.classes[band.memory_class] : band.value->name;
    const auto label = clip_text(name, box.width - 8, 10);
    if (!label.empty())
      svg.text(box.x + 4, box.y + std::min(box.height / 2 + 3.5, 14.0), label, "inside");
  }
  if (dropped_values > 0)
    svg.text(left, plot.map.y + plot.map.height + 38,
             "too small to draw: " + std::to_string(dropped_values) + " values of at most " +
                 format_bytes(static_cast<double>(largest_dropped)),
             "note");
}

void draw_live(SvgWriter& svg, const Plot& plot) {
  const auto draw = [&](bool closed, std::string_view css_class) {
    svg.path(live_path(plot.timeline.live, plot.span, plot.live, plot.live_top(), closed),
             css_class);
  };
  const auto y = [&](int64_t bytes) {
    return plot.live.y + plot.live.height * (1 - static_cast<double>(bytes) / plot.live_top());
  };
  draw(true, "area");
  draw(false, "curve");
  svg.line(left, y(plot.timeline.arena_bytes), left + plot_width, y(plot.timeline.arena_bytes),
           "arena");
  const auto peak = static_cast<double>(plot.peak->bytes);
  svg.circle(plot.x(std::max(plot.peak->position, plot.span.begin)), y(plot.peak->bytes), 4, "peak",
             "peak: " + format_bytes(peak) + " live");
}

// Marks of one level, those outside the axis left out.
std::vector<MemoryMark> marks_of(const Plot& plot, bool phases) {
  std::vector<MemoryMark> marks;
  for (const auto& mark : plot.timeline.marks)
    if ((mark.level <= 0) == phases && mark.position >= plot.span.begin &&
        mark.position <= plot.span.end)
      marks.push_back(mark);
  std::stable_sort(marks.begin(), marks.end(),
                   [](auto& a, auto& b) { return a.position < b.position; });
  return marks;
}

void draw_phases(SvgWriter& svg, const Plot& plot, const std::vector<MemoryMark>& phases,
                 double y) {
  constexpr double gap = 10;
  double free_from = left;
  for (const auto& phase : phases) {
    const double width = text_width(phase.label, 13);  // bold
    double x = std::min(plot.x(phase.position), left + plot_width - width);
    if (x < free_from) continue;
    svg.text(x, y, phase.label, "phase");
    free_from = x + width + gap;
  }
}

// Labels in the middle between each mark and the next of either level. They may reach into the
// neighbours, so that of narrow parts every second or third has its label.
void draw_parts(SvgWriter& svg, const Plot& plot, const std::vector<MemoryMark>& parts,
                const std::vector<MemoryMark>& phases, double y) {
  constexpr double gap = 4, reach = 4;
  double free_from = left;
  for (size_t i = 0; i < parts.size(); ++i) {
    double end = i + 1 < parts.size() ? parts[i + 1].position : plot.span.end;
    for (const auto& phase : phases)
      if (phase.position > parts[i].position) end = std::min(end, phase.position);
    const double from = plot.x(parts[i].position), to = plot.x(end);
    const double middle = (from + to) / 2, width = text_width(parts[i].label, 10);
    if (width > reach * (to - from) || middle - width / 2 < free_from ||
        middle + width / 2 > left + plot_width)
      continue;
    svg.text(middle, y, parts[i].label, "part");
    free_from = middle + width / 2 + gap;
  }
}

// Lines that would stand closer than `closest` pixels are left out.
void draw_lines(SvgWriter& svg, const Plot& plot, const std::vector<MemoryMark>& marks,
                double closest, std::string_view css_class) {
  double previous = -closest;
  for (const auto& mark : marks) {
    const double x = plot.x(mark.position);
    if (x - previous < closest) continue;
    previous = x;
    for (const Box& panel : {plot.live, plot.map})
      if (panel.height > 0) svg.line(x, panel.y, x, panel.y + panel.height, css_class);
  }
}

}  // namespace

std::string memory_timeline_svg(const MemoryTimeline& timeline) {
  Plot plot = prepare(timeline);
  const auto phases = marks_of(plot, true), parts = marks_of(plot, false);

  // The legend's height shows only once it is drawn, hence the page's height comes last.
  SvgWriter svg("memory-timeline", timeline.title, css);
  draw_header(svg, plot);
  if (plot.empty()) {
    svg.text(page_width / 2, 100, "No memory use was recorded.", "empty");
    return svg.finish(page_width, 140);
  }
  double y = draw_legend(svg, plot, 54);
  const double phase_y = y + 10, part_y = phase_y + (phases.empty() ? 0 : mark_row);
  y += (phases.empty() ? 0 : mark_row) + (parts.empty() ? 0 : mark_row);
  if (plot.peak) {
    plot.live = {left, y, plot_width, live_height};
    y += live_height + panel_gap;
  }
  if (!plot.bands.empty()) {
    plot.map = {left, y, plot_width, map_height};
    y += map_height + panel_gap;
  }
  y -= panel_gap;

  for (const Box& panel : {plot.live, plot.map})
    if (panel.height > 0) svg.rect(panel, {"panel"});
  if (plot.peak) {
    draw_y_axis(svg, plot.live, plot.live_top(), 5, "live bytes");
    draw_live(svg, plot);
  }
  if (!plot.bands.empty()) {
    draw_y_axis(svg, plot.map, plot.top, 9, "place in the arena");
    draw_map(svg, plot);
  }
  draw_lines(svg, plot, parts, 12, "part-line");
  draw_lines(svg, plot, phases, 0, "phase-line");
  draw_phases(svg, plot, phases, phase_y);
  draw_parts(svg, plot, parts, phases, part_y);
  svg.line(left, y, left + plot_width, y, "edge");
  draw_x_axis(svg, plot, y);
  return svg.finish(page_width, y + axis_height);
}

}  // namespace anneal
