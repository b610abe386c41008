#include <algorithm>
#include <cmath>
#include <cstdio>

#include "anneal/monitor/progress.hpp"

namespace anneal {
namespace {

// snprintf into a span: what fits of the text.
template <class... Args>
std::string_view print(std::span<char> buffer, const char* format, Args... args) {
  if (buffer.empty()) return {};
  int size = std::snprintf(buffer.data(), buffer.size(), format, args...);
  return {buffer.data(), std::min(static_cast<size_t>(std::max(size, 0)), buffer.size() - 1)};
}

}  // namespace

std::string_view format_duration(double seconds, std::span<char> buffer) {
  if (!(seconds >= 0) || seconds > 1e9) return print(buffer, "%s", "--:--");
  const long long s = std::llround(seconds);
  const long long minutes = s / 60 % 60, hours = s / 3600;
  if (hours >= 48) return print(buffer, "%lldd %02lldh", hours / 24, hours % 24);
  if (hours > 0) return print(buffer, "%lld:%02lld:%02lld", hours, minutes, s % 60);
  return print(buffer, "%lld:%02lld", minutes, s % 60);
}

std::string_view format_rate(double value, std::span<char> buffer) {
  const char* unit = "";
  for (const char* larger : {"k", "M", "G", "T"}) {
    if (!(value >= 999.5)) break;
    value /= 1000;
    unit = larger;
  }
  // Three digits; a count below a thousand has no decimals.
  const int decimals = *unit == '\0' || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return print(buffer, "%.*f%s", decimals, value, unit);
}

std::string_view format_numbers(const ProgressState& state, std::span<char> buffer) {
  char rate[32], left[32];
  auto rate_text = format_rate(state.tokens_per_second, rate);
  auto left_text = format_duration(state.seconds_left, left);
  return print(buffer, "step %lld/%lld  loss %.4f  %.*s tokens/s  %.*s left",
               static_cast<long long>(state.step), static_cast<long long>(state.total), state.loss,
               static_cast<int>(rate_text.size()), rate_text.data(),
               static_cast<int>(left_text.size()), left_text.data());
}

std::string_view format_progress(const ProgressState& state, int width, std::span<char> buffer) {
  constexpr int shortest = 10, longest = 40, frame = 3;  // "[" and "] "
  if (width <= 0 || buffer.empty()) return {};
  char text[256];
  auto numbers = format_numbers(state, text);
  const size_t room = std::min(static_cast<size_t>(width), buffer.size());
  const int cells =
      std::min(longest, static_cast<int>(room) - static_cast<int>(numbers.size()) - frame);
  char* at = buffer.data();
  if (cells >= shortest) {
    double share =
        state.total > 0 ? static_cast<double>(state.step) / static_cast<double>(state.total) : 1.0;
    int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * cells);
    *at++ = '[';
    at = std::fill_n(at, filled, '#');
    at = std::fill_n(at, cells - filled, '.');
    *at++ = ']';
    *at++ = ' ';
  }
  const size_t used = static_cast<size_t>(at - buffer.data());
  numbers = numbers.substr(0, room - used);
  std::copy(numbers.begin(), numbers.end(), at);
  return {buffer.data(), used + numbers.size()};
}

}  // namespace anneal
