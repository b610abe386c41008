#include "anneal/monitor/plot_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace anneal {
namespace {

constexpr std::array seconds_units = {AxisUnit{"ns", 1e-9}, AxisUnit{"µs", 1e-6},
                                      AxisUnit{"ms", 1e-3}, AxisUnit{"s", 1.0}};
constexpr std::array bytes_units = {AxisUnit{"bytes", 1.0}, AxisUnit{"KiB", 0x1p10},
                                    AxisUnit{"MiB", 0x1p20}, AxisUnit{"GiB", 0x1p30},
                                    AxisUnit{"TiB", 0x1p40}};

// The largest unit of which `value` holds at least one, otherwise the smallest.
AxisUnit unit_of(std::span<const AxisUnit> units, double value) {
  AxisUnit unit = units.front();
  for (const AxisUnit& larger : units)
    if (std::abs(value) >= larger.size) unit = larger;
  return unit;
}

std::string four_digits(double value) {
  const double size = std::abs(value);
  return fixed(value, size >= 999.95 ? 0 : size >= 99.995 ? 1 : 2);
}

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "0";
  std::array<char, 400> digits;  // the largest double has 309 digits before the point
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                           std::chars_format::fixed, decimals)
                 .ptr;
  return {digits.data(), end};
}

std::string shortest_fixed(double value, int decimals) {
  std::string text = fixed(value, decimals);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string format_seconds(double seconds) {
  if (seconds == 0 || !std::isfinite(seconds)) return "0 s";
  const AxisUnit unit = unit_of(seconds_units, seconds);
  return four_digits(seconds / unit.size) + " " + unit.name;
}

std::string format_bytes(double bytes) {
  const AxisUnit unit = unit_of(bytes_units, bytes);
  return (unit.size == 1 ? fixed(bytes, 0) : four_digits(bytes / unit.size)) + " " + unit.name;
}

std::string format_percent(double part, double whole) {
  const double percent = whole > 0 ? 100 * part / whole : 0;
  if (!(percent > 0)) return "0 %";
  return fixed(percent, percent < 0.995 ? 2 : 1) + " %";
}

AxisUnit seconds_unit(double largest) { return unit_of(seconds_units, largest); }
AxisUnit bytes_unit(double largest) { return unit_of(bytes_units, largest); }

Ticks round_ticks(double begin, double end, int most) {
  Ticks ticks;
  const double length = end - begin;
  if (!(length > 0) || !std::isfinite(begin) || !std::isfinite(end)) return ticks;
  const double rough = length / std::max(most - 1, 1);
  const int exponent = static_cast<int>(std::floor(std::log10(rough)));
  const double power = std::pow(10.0, exponent);
  double step = 10 * power;
  for (double digit : {5.0, 2.0, 1.0})
    if (digit * power >= rough * (1 - 1e-9)) step = digit * power;
  ticks.decimals = std::max(0, step >= 10 * power ? -exponent - 1 : -exponent);
  // Multiples by number, so that no error adds up; the ends count as inside.
  const double first = std::ceil(begin / step - 1e-6) + 0.0, last = std::floor(end / step + 1e-6);
  for (double i = first; i <= last && ticks.at.size() < static_cast<size_t>(std::max(most, 2)); ++i)
    ticks.at.push_back(i * step);
  return ticks;
}

}  // namespace anneal
