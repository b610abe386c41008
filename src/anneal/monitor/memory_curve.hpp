#pragma once

#include <string>
#include <vector>

#include "anneal/monitor/memory_bands.hpp"
#include "anneal/monitor/svg.hpp"

namespace anneal {

// The point with the most live bytes within the span, the first of equal ones; null if there is
// none. A point before the span counts as far as its value reaches into it.
const LivePoint* peak_of(const std::vector<LivePoint>& live, MemorySpan span);

// SVG path data of the step curve in `box`, whose x axis is `span` and whose y axis goes from 0 at
// its lower edge to `top` bytes. Of points within the same half pixel only the extremes are kept,
// which draws the same picture. `closed` continues along the lower edge, for the area below the
// curve.
std::string live_path(const std::vector<LivePoint>& live, MemorySpan span, const Box& box,
                      double top, bool closed);

}  // namespace anneal
