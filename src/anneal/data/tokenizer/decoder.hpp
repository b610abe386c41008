#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/tokenizer/json_value.hpp"

namespace anneal::tokenizing {

// How tokens become text: what each one stands for, and what is done to all of them joined.
class Decoder {
 public:
  // Of one token; `first`: it is the first of a text.
  std::string token(std::string_view text, bool first) const {
    std::string out(text);
    for (const auto& step : each_) out = step(std::move(out), first);
    return out;
  }
  // Of the joined tokens of a whole text.
  std::string joined(std::string text) const {
    for (const auto& step : all_) text = step(std::move(text));
    return text;
  }
  bool byte_level() const { return byte_level_; }
  // Whether a token may stand for something else at the start of a text.
  bool first_differs() const { return first_differs_; }

  // The steps that `decoder` of a tokenizer.json names.
  static Decoder read(const JsonValue& value);

 private:
  class Reader;
  std::vector<std::function<std::string(std::string, bool first)>> each_;
  std::vector<std::function<std::string(std::string)>> all_;
  bool byte_level_ = false;  // tokens are bytes already
  bool first_differs_ = false;
};

}  // namespace anneal::tokenizing
