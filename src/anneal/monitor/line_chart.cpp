#include "anneal/monitor/line_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/monitor/chart_path.hpp"
#include "anneal/monitor/chart_scale.hpp"
#include "anneal/monitor/plot_text.hpp"
#include "anneal/monitor/svg.hpp"

namespace anneal {
namespace {

constexpr double right = 18, title_height = 28, legend_row = 19, axis_height = 44, key_width = 22;
constexpr double tick_size = 11, legend_size = 12, legend_gap = 16;

constexpr std::string_view css = R"(.line-chart text {
  font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 12px; fill: #20242a;
}
.line-chart .title { font-size: 14px; font-weight: bold; }
.line-chart .axis-title { fill: #565d66; text-anchor: middle; }
.line-chart .tick-x { font-size: 11px; fill: #565d66; text-anchor: middle; }
.line-chart .tick-y { font-size: 11px; fill: #565d66; text-anchor: end; }
.line-chart .empty { fill: #565d66; text-anchor: middle; }
.line-chart .grid { stroke: #e4e7ea; stroke-width: 1; }
.line-chart .axis { stroke: #8b939c; stroke-width: 1; }
.line-chart .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line-chart .faint { stroke-width: 1; stroke-opacity: 0.22; }
.line-chart .dashed { stroke-dasharray: 6 4; }
)";

constexpr std::array<std::string_view, 7> palette = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                     "#e69f00", "#56b4e9", "#000000"};

std::string colour_of(const LineChart& chart, size_t index) {
  const std::string& own = chart.series[index].colour;
  if (own.empty()) return std::string(chart_colour(index));
  ANNEAL_ASSERT(own.size() == 7 && own[0] == '#' &&
                    own.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos,
                "colour ", own);
  return own;
}

// Classes are named by their colour, so that drawings on one page do not restyle each other.
std::string colour_class(const std::string& colour) { return str("c", colour.substr(1)); }

std::string style_of(const LineChart& chart) {
  std::string style(css);
  std::set<std::string> colours;
  for (size_t i = 0; i < chart.series.size(); ++i) colours.insert(colour_of(chart, i));
  for (const auto& c : colours) {
    const std::string name = str(".line-chart .", colour_class(c));
    style += str(name, " { stroke: ", c, "; }\n", name, ".dot { stroke: none; fill: ", c, "; }\n");
  }
  return style;
}

struct Extent {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct LegendEntry {
  size_t series = 0;
  double x = 0, y = 0;
  std::string text;
};

class Drawing {
 public:
  explicit Drawing(const LineChart& chart)
      : chart_(chart), svg_("line-chart", chart.title, style_of(chart)) {
    width_ = std::max(chart.width, 240.0);
    lay_out_legend();
    measure();
    plot_.y = title_height + legend_height_ + 8;
    plot_.height = std::max(chart.height, 160.0) - title_height - 8 - axis_height;
  }

  std::string draw() {
    const Box& box = plot_;
    svg_.text(12, 19, clip_text(chart_.title, width_ - 24, 15.5), "title");
    for (const auto& entry : legend_) draw_key(entry);
    grid();
    for (bool faint : {true, false})
      for (size_t i = 0; i < chart_.series.size(); ++i)
        if (chart_.series[i].faint == faint) draw_series(i);
    if (empty_)
      svg_.text(box.x + box.width / 2, box.y + box.height / 2, "nothing was recorded", "empty");
    return svg_.finish(width_, std::max(chart_.height, 160.0) + legend_height_);
  }

 private:
  void lay_out_legend() {
    double x = 12, y = title_height + 10;
    for (size_t i = 0; i < chart_.series.size(); ++i) {
      if (chart_.series[i].name.empty()) continue;
      std::string text =
          clip_text(chart_.series[i].name, width_ - 24 - key_width - legend_gap, legend_size);
      const double need = key_width + 5 + text_width(text, legend_size);
      if (x > 12 && x + need > width_ - 12) {
        x = 12;
        y += legend_row;
      }
      legend_.push_back({i, x, y, std::move(text)});
      x += need + legend_gap;
    }
    legend_height_ = legend_.empty() ? 0 : y - title_height + 10;
  }

  // The ranges of the axes; the width of the ticks' texts decides where the plot begins.
  void measure() {
    Extent xs, ys;
    for (const auto& series : chart_.series)
      for (const auto& point : series.points)
        if (shows(chart_.x, point.x) && shows(chart_.y, point.y)) {
          xs.add(point.x);
          ys.add(point.y);
        }
    empty_ = xs.low > xs.high;
    x_ = ChartScale(chart_.x, xs.low, xs.high, false, std::max(3, static_cast<int>(width_ / 85)));
    y_ = ChartScale(chart_.y, ys.low, ys.high, true,
                    std::max(3, static_cast<int>(chart_.height / 45)));
    double widest = 0;
    for (const auto& tick : y_.ticks()) widest = std::max(widest, text_width(tick.text, tick_size));
    plot_.x = 30 + widest + 6;
    plot_.width = width_ - right - plot_.x;
  }

  double x(double share) const { return plot_.x + share * plot_.width; }
  double y(double share) const { return plot_.y + (1 - share) * plot_.height; }

  void grid() {
    const double bottom = plot_.y + plot_.height, end = plot_.x + plot_.width;
    for (const auto& tick : y_.ticks()) {
      svg_.line(plot_.x, y(tick.at), end, y(tick.at), "grid");
      svg_.text(plot_.x - 6, y(tick.at) + 4, tick.text, "tick-y");
    }
    for (const auto& tick : x_.ticks()) {
      svg_.line(x(tick.at), bottom, x(tick.at), bottom + 4, "axis");
      svg_.text(x(tick.at), bottom + 17, tick.text, "tick-x");
    }
    svg_.line(plot_.x, bottom, end, bottom, "axis");
    svg_.line(plot_.x, plot_.y, plot_.x, bottom, "axis");
    svg_.text(plot_.x + plot_.width / 2, bottom + 35, x_.label(), "axis-title");
    svg_.vertical_text(18, plot_.y + plot_.height / 2, y_.label(), "axis-title");
  }

  std::string line_class(size_t index) const {
    const LineSeries& series = chart_.series[index];
    return str("line ", colour_class(colour_of(chart_, index)), series.faint ? " faint" : "",
               series.dashed ? " dashed" : "");
  }

  std::string dot_class(size_t index) const {
    return str("dot ", colour_class(colour_of(chart_, index)));
  }

  void draw_key(const LegendEntry& entry) {
    if (chart_.series[entry.series].markers)
      svg_.circle(entry.x + key_width / 2, entry.y, 3, dot_class(entry.series));
    svg_.line(entry.x, entry.y, entry.x + key_width, entry.y, line_class(entry.series));
    svg_.text(entry.x + key_width + 5, entry.y + 4, entry.text, "legend");
  }

  void draw_series(size_t index) {
    const LineSeries& series = chart_.series[index];
    PixelLines lines;
    bool gap = true;
    for (const auto& point : series.points) {
      if (!shows(chart_.x, point.x) || !shows(chart_.y, point.y)) {
        gap = true;
        continue;
      }
      if (gap) lines.emplace_back();
      gap = false;
      lines.back().push_back({x(x_.at(point.x)), y(y_.at(point.y))});
    }
    const std::string data = path_data(lines);
    if (!data.empty()) svg_.path(data, line_class(index));
    // What a cut leaves of a line is no point of its own.
    const bool lonely = !chart_.y.most || series.points.size() == 1;
    for (const auto& line : lines)
      if (series.markers || (line.size() == 1 && lonely))
        for (const auto& point : thinned(line))
          svg_.circle(point.x, point.y, series.faint ? 1.5 : 2.8, dot_class(index));
  }

  const LineChart& chart_;
  SvgWriter svg_;
  double width_ = 0, legend_height_ = 0;
  std::vector<LegendEntry> legend_;
  ChartScale x_{{}, 1, 0, false, 2}, y_{{}, 1, 0, false, 2};
  Box plot_;
  bool empty_ = false;
};

}  // namespace

std::string_view chart_colour(size_t index) { return palette[index % palette.size()]; }

std::string line_chart_svg(const LineChart& chart) { return Drawing(chart).draw(); }

}  // namespace anneal
