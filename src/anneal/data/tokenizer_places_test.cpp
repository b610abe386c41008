// Which bytes of a text each token stands for, by the small tokenizers of every kind of
// tests/golden/tokenizers.json.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

using Json = nlohmann::json;

TEST(TokenizerPlaces, IdsAreTheSameAndPlacesFollowTheText) {
  Json golden = Json::parse(read_file(ANNEAL_SOURCE_DIR "/tests/golden/tokenizers.json"));
  size_t told = 0, refused = 0, exact = 0, all = 0;
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    Json file = c["tokenizer"];
    file["model"].update(golden["vocabularies"][c["vocabulary"].get<size_t>()]);
    Tokenizer tokenizer = Tokenizer::from_json(file.dump(), "golden");
    for (const Json& entry : golden["texts"]) {
      std::string text = entry;
      EncodeOptions options{.read_special = true, .add_special = true};
      Tokenizer::PlacedTokens placed;
      try {
        placed = tokenizer.encode_placed(text, options);
      } catch (const Error&) {
        ++refused;
        continue;
      }
      ++told;
      ASSERT_EQ(placed.ids, tokenizer.encode(text, options)) << text;
      ASSERT_EQ(placed.places.size(), placed.ids.size());
      size_t before = 0;
      for (size_t i = 0; i < placed.ids.size(); ++i) {
        ByteSpan place = placed.places[i];
        ASSERT_LE(place.begin, place.end) << text;
        ASSERT_LE(place.end, text.size()) << text;
        EXPECT_GE(place.end, before) << text << " " << i;
        before = place.end;
        std::string_view there =
            std::string_view(text).substr(place.begin, place.end - place.begin);
        ++all;
        exact += there == tokenizer.token_bytes(placed.ids[i]);
      }
    }
  }
  EXPECT_GT(told, 20 * refused) << refused;
  // The others are unknown, changed by a normalizer, or take blanks beside them along.
  EXPECT_GT(static_cast<double>(exact), 0.85 * static_cast<double>(all)) << exact << " of " << all;
  std::cout << told << " texts, " << refused << " refused, " << exact << " of " << all << "\n";
}

}  // namespace
}  // namespace anneal
