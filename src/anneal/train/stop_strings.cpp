#include "anneal/train/stop_strings.hpp"

#include <algorithm>
#include <utility>

#include "anneal/base/error.hpp"
#include "anneal/train/text_stream.hpp"

namespace anneal {
namespace {

bool is_utf8(const std::string& text) {
  Utf8Stream stream;
  std::string read = stream.push(text);
  return read + stream.finish() == text;
}

// The longest end of `text` that one of the strings begins with and goes on behind, in bytes.
size_t longest_beginning(std::string_view text, const std::vector<std::string>& strings) {
  size_t longest = 0;
  for (const std::string& string : strings)
    for (size_t n = std::min(text.size(), string.size() - 1); n > longest; --n)
      if (text.ends_with(std::string_view(string).substr(0, n))) longest = n;
  return longest;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  for (const std::string& string : strings_) {
    if (string.empty())
      throw UsageError("[--stop] expected some text, got none (leave --stop out for no stop)");
    if (!is_utf8(string))
      throw UsageError("[--stop] expected UTF-8 text (a text never has half a character)");
  }
}

std::string StopStrings::push(std::string_view piece) {
  if (found_) return "";
  for (char c : piece) {
    pending_.push_back(c);
    size_t length = 0;  // of the longest stop string that ends here
    for (const std::string& string : strings_)
      if (string.size() > length && pending_.ends_with(string)) length = string.size();
    if (length == 0) continue;
    found_ = true;
    pending_.resize(pending_.size() - length);
    return std::exchange(pending_, "");
  }
  size_t known = pending_.size() - longest_beginning(pending_, strings_);
  std::string text = pending_.substr(0, known);
  pending_.erase(0, known);
  return text;
}

std::string StopStrings::finish() { return std::exchange(pending_, ""); }

}  // namespace anneal
