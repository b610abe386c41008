#include "anneal/monitor/report_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/monitor/plot_text.hpp"

namespace anneal {
namespace {

constexpr const char* group_space = "\u202f";  // narrow, and no line breaks there

const char* not_finite_text(double value) {
  return std::isnan(value) ? "not a number" : value > 0 ? "infinite" : "−infinite";
}

std::string scientific(double value, int digits) {
  std::array<char, 40> text;
  auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                           std::chars_format::general, digits)
                 .ptr;
  return {text.data(), end};
}

}  // namespace

std::string loss_text(double loss) {
  if (!std::isfinite(loss)) return not_finite_text(loss);
  return std::abs(loss) < 1e4 ? fixed(loss, 4) : scientific(loss, 5);
}

std::string percent_text(double share) {
  if (!std::isfinite(share)) return not_finite_text(share);
  const double percent = 100 * share;
  const double size = std::abs(percent);
  if (size >= 99999.5) return str(scientific(percent, 3), " %");
  return str(fixed(percent, size < 0.995 ? 2 : size < 999.5 ? 1 : 0), " %");
}

std::string change_text(double share) {
  if (!std::isfinite(share)) return not_finite_text(share);
  if (share == 0) return "±0 %";
  return str(share < 0 ? "−" : "+", percent_text(std::abs(share)));
}

std::string ratio_text(double ratio) {
  if (!std::isfinite(ratio)) return not_finite_text(ratio);
  return str(fixed(ratio, ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0), "×");
}

std::string count_text(int64_t count) {
  std::string digits = std::to_string(count), text;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') text += group_space;
    text += digits[i];
  }
  return text;
}

std::string compact_count(double count) {
  if (!std::isfinite(count)) return not_finite_text(count);
  double size = std::abs(count);
  size_t thousands = 0;
  for (; size >= 999.5 && thousands < 5; ++thousands) size /= 1000;
  if (thousands == 0) return fixed(count, size < 99.95 && size != std::round(size) ? 1 : 0);
  return str(count < 0 ? "−" : "",
             fixed(size, size < 9.995   ? 2
                         : size < 99.95 ? 1
                                        : 0),
             "kMGTP"[thousands - 1]);
}

std::string number_text(double value) {
  return std::isfinite(value) ? scientific(value, 4) : std::string(not_finite_text(value));
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds)) return not_finite_text(seconds);
  if (seconds < 99.95) return format_seconds(seconds);
  const auto whole = static_cast<int64_t>(std::min(std::round(seconds), 1e15));
  const auto padded = [](int64_t n) { return str(n < 10 ? "0" : "", n); };
  if (whole < 3600) return str(whole / 60, " min ", padded(whole % 60), " s");
  return str(whole / 3600, " h ", padded(whole % 3600 / 60), " min");
}

std::string list_text(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i)
    text.append(i == 0 ? "" : i + 1 == items.size() ? " and " : ", ").append(items[i]);
  return text;
}

}  // namespace anneal
