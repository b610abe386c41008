#pragma once

#include <string>
#include <vector>

#include "anneal/monitor/line_chart.hpp"

namespace anneal {

// A series on the page: runs of points without a gap, in pixels.
using PixelLines = std::vector<std::vector<ChartPoint>>;

// Leaves at most four points of a line for each column of pixels: the first, the lowest, the
// highest and the last.
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& line);

// SVG path data of the lines with two points or more.
std::string path_data(const PixelLines& lines);

}  // namespace anneal
