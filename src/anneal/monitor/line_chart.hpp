#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

struct ChartPoint {
  double x = 0;
  double y = 0;
};

// What the numbers of an axis are; ticks are then round in the unit that suits, which the axis's
// label names: seconds become ms, min or h, bytes MiB, shares of 1 percent.
enum class AxisKind { number, seconds, bytes, share };

struct ChartAxis {
  std::string label;
  AxisKind kind = AxisKind::number;
  bool log = false;            // values that are not positive are then left out
  bool from_zero = false;      // the axis begins at 0 where it is not logarithmic
  std::optional<double> most;  // larger values are left out
};

struct LineSeries {
  std::string name;  // "": not in the legend
  // By ascending x. A value that is not finite makes a gap.
  std::vector<ChartPoint> points;
  std::string colour;  // "#rrggbb"; "": that of chart_colour for the series' place in the chart
  bool dashed = false;
  bool faint = false;    // thin and pale, behind the others: raw data below a smoothed line
  bool markers = false;  // a dot at each point
};

struct LineChart {
  std::string title;
  ChartAxis x, y;
  std::vector<LineSeries> series;
  double width = 560, height = 300;  // pixels, at least 240 by 160; the legend adds to the height
};

// Colours that readers with any kind of colour vision can tell apart (Okabe and Ito's, without
// yellow, which is hard to see on white); they repeat after seven.
std::string_view chart_colour(size_t index);

// A self-contained SVG drawing, dark on white: title, legend, axes with round ticks, and the lines.
// However many points a series has, at most four for each column of pixels are written: its first,
// lowest, highest and last, which draws the same picture. Without any point to show the drawing
// says so. A colour that is none is an InternalError.
std::string line_chart_svg(const LineChart& chart);

// The mean of the finite ones among `window` (at least 1) points around each point; gaps stay.
std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points, size_t window);

}  // namespace anneal
