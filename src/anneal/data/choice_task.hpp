#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace anneal {

// A multiple-choice question: which text goes on from the query.
struct ChoiceItem {
  std::string query;                 // not only white space
  std::vector<std::string> choices;  // two or more, none of only white space
  size_t gold = 0;                   // index of the right one
  std::string where;                 // "file:line"
};

// One line of a task, a JSON object of one of two forms; other keys are passed over.
//
//   HellaSwag's   `endings` (strings), `label` (the index of the right one, a number or digits in a
//                 string), and the text before: `ctx_a` and `ctx_b`, or else `ctx`. As
//                 lm-evaluation-harness prepares it, the query is ctx_a + " " + capitalize(ctx_b),
//                 behind activity_label + ": " where that is there; and in it and in the endings
//                 white space at the ends and what stands in square brackets go, " [title]" becomes
//                 ". ", and two blanks become one.
//   plain         `query`, `choices` (strings), `gold` (a number), taken as they are.
//
// Throws FormatError "[where: key] …" for a line of neither form, a label that is no choice, fewer
// than two choices, or an empty text.
ChoiceItem parse_choice_item(std::string_view json, const std::string& where);

// The questions of a JSONL file, at most `limit` of them (0: all); blank lines are passed over.
// Throws UsageError naming --task if there is none.
std::vector<ChoiceItem> read_choice_task(const std::filesystem::path& file, int64_t limit);

}  // namespace anneal
