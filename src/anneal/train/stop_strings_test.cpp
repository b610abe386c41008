#include "anneal/train/stop_strings.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

// The text up to the stop, in pieces of this many bytes.
std::string cut(const std::vector<std::string>& strings, std::string_view text, size_t piece,
                bool* found = nullptr) {
  StopStrings stops(strings);
  std::string out;
  for (size_t at = 0; at < text.size() && !stops.found(); at += piece)
    out += stops.push(text.substr(at, piece));
  if (found) *found = stops.found();
  return out + stops.finish();
}

TEST(StopStrings, EndTheTextWhereverItIsCutIntoPieces) {
  struct Case {
    std::vector<std::string> strings;
    std::string text, expected;
    bool found = true;
  };
  for (const Case& each : std::vector<Case>{
           {{}, "all of it", "all of it", false},
           {{"stop"}, "", "", false},
           {{"stop"}, "stop", ""},
           {{"stop"}, "a stop here, a stop there", "a "},
           {{"stop"}, "a sto", "a sto", false},
           {{"stop"}, "a ststop", "a st"},
           {{"aab"}, "aaab", "a"},
           {{"abab"}, "abaabab", "aba"},
           {{"\n\n", "User:"}, "one\ntwo\nUser: x", "one\ntwo\n"},
           {{"ab", "abc"}, "xabc", "x"},
           {{"abc", "ab"}, "xabc", "x"},
           {{"abcd", "bc"}, "xabcd", "xa"},  // complete before the other
           {{"c", "bc"}, "abc", "a"},        // the longer of two that end together
           {{"abc", "xyz"}, "abxabxy", "abxabxy", false},
           {{"é"}, "caf\u00e9s", "caf"},
           {{"\u20ac"}, "\u20ad\u20ac", "\u20ad"},  // they begin with the same two bytes
       })
    for (size_t piece = 1; piece <= each.text.size() + 1; ++piece) {
      bool found = false;
      EXPECT_EQ(cut(each.strings, each.text, piece, &found), each.expected)
          << each.text << " in pieces of " << piece;
      EXPECT_EQ(found, each.found) << each.text << " in pieces of " << piece;
    }
}

TEST(StopStrings, HoldBackOnlyWhatMayBecomeOne) {
  StopStrings stops({"\nUser:", "aab"});
  EXPECT_EQ(stops.push("one"), "one");
  EXPECT_EQ(stops.push(" two\n"), " two");
  EXPECT_EQ(stops.push("Us"), "");
  EXPECT_EQ(stops.push("ual\n"), "\nUsual");
  EXPECT_EQ(stops.push("\n"), "\n");
  EXPECT_EQ(stops.push("aaa"), "\na");
  EXPECT_EQ(stops.push("bcd"), "");
  EXPECT_TRUE(stops.found());
  EXPECT_EQ(stops.push("more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, WhatWasHeldBackComesAtTheEnd) {
  StopStrings stops({"stop"});
  EXPECT_EQ(stops.push("a sto"), "a ");
  EXPECT_EQ(stops.finish(), "sto");
  EXPECT_FALSE(stops.found());
}

TEST(StopStrings, AreSomeTextInWholeCharacters) {
  EXPECT_THROW(StopStrings({"a", ""}), UsageError);
  EXPECT_THROW(StopStrings({"\xC3"}), UsageError);
}

}  // namespace
}  // namespace anneal
