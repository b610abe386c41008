#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// Ends a text that comes in pieces right before a stop string, wherever the pieces are cut: what
// may be the beginning of a stop string is held back until it is known to be none. Of several stop
// strings the one counts that is complete first, and of those that are complete together the
// longest, so that the result is a function of the text alone.
class StopStrings {
 public:
  // Throws UsageError naming --stop for a string that is empty or not valid UTF-8: a text of whole
  // characters would end everywhere, or nowhere.
  explicit StopStrings(std::vector<std::string> strings);

  // What of the text is known to stay with this piece, in whole characters if the pieces are; ""
  // once a stop string was found.
  std::string push(std::string_view piece);
  // The text is at its end: what was held back.
  std::string finish();
  // Whether the text has ended with a stop string.
  bool found() const { return found_; }

 private:
  std::vector<std::string> strings_;
  std::string pending_;  // the beginning of a stop string
  bool found_ = false;
};

}  // namespace anneal
