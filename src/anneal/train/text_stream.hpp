#pragma once

#include <string>
#include <string_view>

namespace anneal {

// Turns the bytes of tokens, which may end in the middle of a character, into text that can be
// shown at once: releases complete UTF-8 characters only. Bytes that cannot be part of one become
// U+FFFD, one for each maximal ill-formed part, as the Unicode Standard recommends (section 3.9,
// "U+FFFD Substitution of Maximal Subparts") and Python and web browsers do. The pieces joined
// equal the decoding of all bytes joined.
class Utf8Stream {
 public:
  // The text that is complete with these bytes; it may be empty.
  std::string push(std::string_view bytes);
  // What is left at the end: "" or one U+FFFD for an unfinished character.
  std::string finish();

 private:
  std::string pending_;  // the beginning of a character, at most 3 bytes
};

}  // namespace anneal
