#include "anneal/base/error.hpp"
#include "anneal/data/tokenizer/read_model.hpp"

namespace anneal::tokenizing {

UnigramSpec read_unigram(const JsonValue& model) {
  UnigramSpec spec;
  JsonValue vocab = model.array("vocab");
  if (vocab.size() == 0) vocab.fail("is empty; expected [token, score] for each id");
  for (size_t i = 0; i < vocab.size(); ++i) {
    JsonValue entry = vocab.item(i);
    if (!entry.is_array() || entry.size() != 2) entry.fail("expected [token, score]");
    const std::string& token = entry.item(0).as_text();
    if (token.empty()) entry.fail("the token is empty");
    if (token.size() > kLongestUnigramToken)
      entry.fail(
          str("the token has ", token.size(), " bytes; expected at most ", kLongestUnigramToken));
    spec.tokens.push_back(token);
    spec.scores.push_back(entry.item(1).as_number());
  }
  bpe::TokenMap map(spec.tokens);
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (map.find(spec.tokens[i], spec.tokens) != static_cast<int32_t>(i))
      vocab.item(i).fail(str(shown(spec.tokens[i]), " occurs twice"));
  spec.byte_fallback = model.boolean("byte_fallback", false);
  if (auto unknown = model.find("unk_id"))
    spec.unknown = static_cast<int32_t>(unknown->as_id(static_cast<int64_t>(vocab.size())));
  return spec;
}

}  // namespace anneal::tokenizing
