#include <algorithm>
#include <vector>

#include "anneal/monitor/plot_text.hpp"

namespace anneal {
namespace {

constexpr char32_t replacement = 0xFFFD;

// Takes one code point off the front of `text`; a byte that begins none counts as U+FFFD.
char32_t next_code_point(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80             ? 1
                        : (lead & 0xE0) == 0xC0 ? 2
                        : (lead & 0xF0) == 0xE0 ? 3
                        : (lead & 0xF8) == 0xF0 ? 4
                                                : 0;
  char32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
  bool valid = length > 0 && length <= text.size();
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0) == 0x80;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  valid =
      valid && code >= smallest[length] && code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
  text.remove_prefix(valid ? length : 1);
  return valid ? code : replacement;
}

bool allowed_in_xml(char32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return code != 0x7F && code != 0xFFFE && code != 0xFFFF;
}

// Width in units of the font's size.
double relative_width(char32_t code) {
  using namespace std::string_view_literals;
  if (code >= 0x1100) return code == U'…' ? 1.0 : code >= 0x2E80 ? 1.1 : 0.85;
  if (code >= 0x80) return 0.7;
  const char c = static_cast<char>(code);
  const auto in = [c](std::string_view set) { return set.find(c) != set.npos; };
  if (in("ijl.,:;|'I "sv)) return 0.33;
  if (in("frt()[]/\\-!\"`"sv)) return 0.42;
  if (in("mwMW%@"sv)) return 0.97;
  if (in("GOQDHNU#+<>=~^&"sv)) return 0.81;
  if (c >= 'A' && c <= 'Z') return 0.69;
  return in("_?csz$vxky*"sv) ? 0.59 : 0.635;
}

}  // namespace

std::string escape_xml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t code = next_code_point(text);
    const std::string_view bytes = before.substr(0, before.size() - text.size());
    switch (code) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        if (code == replacement || !allowed_in_xml(code))
          escaped += "\xEF\xBF\xBD";
        else
          escaped += bytes;
    }
  }
  return escaped;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  while (!text.empty()) width += relative_width(next_code_point(text));
  return width * size;
}

std::string clip_text(std::string_view text, double width, double size) {
  if (text_width(text, size) <= width) return std::string(text);
  double left = width - relative_width(U'…') * size;
  std::string_view rest = text;
  size_t characters = 0, bytes = 0;
  while (!rest.empty()) {
    left -= relative_width(next_code_point(rest)) * size;
    if (left < 0) break;
    bytes = text.size() - rest.size();
    ++characters;
  }
  if (characters < 2) return {};
  return std::string(text.substr(0, bytes)) + "…";
}

}  // namespace anneal
