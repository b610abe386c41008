#include "anneal/monitor/chart_scale.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/monitor/plot_text.hpp"

namespace anneal {
namespace {

constexpr double air = 0.05;  // of the range, at each end

struct Unit {
  double size = 1;
  std::string label;   // behind the axis's label
  std::string suffix;  // behind the number of each tick
};

// Plain numbers have their factor in the tick: "20k", "3e-05".
Unit number_unit(double largest) {
  if (largest == 0 || (largest >= 1e-3 && largest < 1e4)) return {};
  const double thousands = std::floor(std::log10(largest) / 3 + 1e-9);
  if (thousands >= 1 && thousands <= 4)
    return {std::pow(1000.0, thousands), "",
            std::string(1, "kMGT"[static_cast<size_t>(thousands) - 1])};
  const double exponent = std::floor(std::log10(largest) + 1e-9);
  return {std::pow(10.0, exponent), "", str("e", fixed(exponent, 0))};
}

Unit named(const AxisUnit& unit) { return {unit.size, str(" (", unit.name, ")"), ""}; }

Unit unit_of(AxisKind kind, double largest) {
  if (kind == AxisKind::share) return {0.01, " (%)", ""};
  if (kind == AxisKind::bytes) return named(bytes_unit(largest));
  if (kind == AxisKind::number) return number_unit(largest);
  if (largest >= 3 * 3600) return {3600, " (h)", ""};
  if (largest >= 3 * 60) return {60, " (min)", ""};
  return named(seconds_unit(largest));
}

std::string log_text(double value) {
  if (value >= 0.001 && value < 1e4) return shortest_fixed(value, 3);
  const double exponent = std::floor(std::log10(value) + 1e-9);
  return str(shortest_fixed(value / std::pow(10.0, exponent), 1), "e", fixed(exponent, 0));
}

}  // namespace

bool shows(const ChartAxis& axis, double value) {
  return std::isfinite(value) && (!axis.log || value > 0) && !(axis.most && value > *axis.most);
}

ChartScale::ChartScale(const ChartAxis& axis, double low, double high, bool padded, int most)
    : log_(axis.log), label_(axis.label) {
  if (low > high) return;
  if (axis.from_zero && !log_) low = std::min(low, 0.0), high = std::max(high, 0.0);
  low_ = log_ ? std::log10(low) : low;
  high_ = log_ ? std::log10(high) : high;
  // One value alone: something around it, so that it lies in the middle.
  if (!(high_ - low_ > 1e-12 * std::max(std::abs(low_), std::abs(high_)))) {
    const double half = log_ ? 0.5 : std::max(std::abs(high_) * 0.1, low_ == 0 ? 1.0 : 0.0);
    low_ -= axis.from_zero && low_ == 0 ? 0 : half;
    high_ += half;
  } else if (padded) {
    const double room = air * (high_ - low_);
    if (log_ || !axis.from_zero || low_ < 0) low_ -= room;
    high_ += room;
  }
  const Unit unit = unit_of(axis.kind, std::max(std::abs(low), std::abs(high)));
  label_ += unit.label;
  if (log_)
    log_ticks(axis.kind == AxisKind::number ? 1 : unit.size, most);
  else
    linear_ticks(unit.size, unit.suffix, most);
}

double ChartScale::at(double value) const {
  return ((log_ ? std::log10(value) : value) - low_) / (high_ - low_);
}

void ChartScale::linear_ticks(double unit, const std::string& suffix, int most) {
  const Ticks ticks = round_ticks(low_ / unit, high_ / unit, most);
  for (double value : ticks.at) {
    const double position = (value * unit - low_) / (high_ - low_);
    std::string text = value == 0 ? str(0) : str(fixed(value, ticks.decimals), suffix);
    ticks_.push_back({std::clamp(position, 0.0, 1.0), std::move(text)});
  }
}

void ChartScale::log_ticks(double unit, int most) {
  const double shift = std::log10(unit);
  const double first = std::ceil(low_ - shift - 1e-9), last = std::floor(high_ - shift + 1e-9);
  const auto add = [&](double value) {
    const double position = (std::log10(value) + shift - low_) / (high_ - low_);
    if (position >= -1e-9 && position <= 1 + 1e-9)
      ticks_.push_back({std::clamp(position, 0.0, 1.0), log_text(value)});
  };
  if (last - first >= 2) {
    const double stride = std::ceil((last - first + 1) / most);
    for (double e = first; e <= last; e += stride) add(std::pow(10.0, e));
  } else {
    for (double e = first - 1; e <= last; ++e)
      for (double digit : {1.0, 2.0, 5.0}) add(digit * std::pow(10.0, e));
  }
  if (ticks_.size() >= 2) return;
  ticks_.clear();
  const Ticks ticks = round_ticks(std::pow(10.0, low_) / unit, std::pow(10.0, high_) / unit, most);
  for (double value : ticks.at) add(value);
}

}  // namespace anneal
