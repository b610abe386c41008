#pragma once

#include <string>
#include <vector>

#include "anneal/monitor/line_chart.hpp"

namespace anneal {

struct ChartTick {
  double at = 0;  // share of the axis's length, 0 … 1
  std::string text;
};

// Whether the axis can show this value.
bool shows(const ChartAxis& axis, double value);

// An axis with its range: where a value lies, and which ticks it has.
class ChartScale {
 public:
  // For values that lie between `low` and `high` (low > high: there are none). The range has some
  // air around them where `padded`. At most `most` ticks.
  ChartScale(const ChartAxis& axis, double low, double high, bool padded, int most);

  // Share of the axis's length: 0 at its beginning, 1 at its end.
  double at(double value) const;
  const std::vector<ChartTick>& ticks() const { return ticks_; }
  // The axis's label with the unit of its ticks.
  const std::string& label() const { return label_; }

 private:
  void linear_ticks(double unit, const std::string& suffix, int most);
  void log_ticks(double unit, int most);

  bool log_ = false;
  double low_ = 0, high_ = 1;  // logarithms to the base of ten where the axis is logarithmic
  std::vector<ChartTick> ticks_;
  std::string label_;
};

}  // namespace anneal
