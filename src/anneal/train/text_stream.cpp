#include "anneal/train/text_stream.hpp"

namespace anneal {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// A well-formed sequence by its first byte: its length (0: no character begins so) and the range of
// its second byte; the others are 80..BF (Unicode Standard, table 3-7).
struct Form {
  int length;
  unsigned char second_low = 0x80, second_high = 0xBF;
};

Form form_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead < 0xC2) return {0};
  if (lead < 0xE0) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

// How many bytes at the front of `text` belong to one character of form `form`: the lead and as
// many continuation bytes as are there and fit.
int matching_bytes(std::string_view text, Form form) {
  int count = 1;
  for (; count < form.length && static_cast<size_t>(count) < text.size(); ++count) {
    unsigned char c = static_cast<unsigned char>(text[static_cast<size_t>(count)]);
    unsigned char low = count == 1 ? form.second_low : 0x80;
    unsigned char high = count == 1 ? form.second_high : 0xBF;
    if (c < low || c > high) break;
  }
  return count;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string_view rest = pending_;
  std::string text;
  while (!rest.empty()) {
    Form form = form_of(static_cast<unsigned char>(rest[0]));
    int count = matching_bytes(rest, form);
    size_t taken = static_cast<size_t>(count);
    if (count < form.length && taken == rest.size()) break;  // may be completed later
    text += count == form.length ? rest.substr(0, taken) : replacement;
    rest.remove_prefix(taken);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string Utf8Stream::finish() {
  std::string text(pending_.empty() ? "" : replacement);
  pending_.clear();
  return text;
}

}  // namespace anneal
