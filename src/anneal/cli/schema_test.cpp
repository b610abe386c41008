#include "anneal/cli/schema.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <set>

#include "anneal/base/file.hpp"
#include "anneal/cli/config_value.hpp"
#include "anneal/cli/config_write.hpp"

namespace anneal {
namespace {

TEST(Schema, EveryMemberHasExactlyOneKey) {
  RunConfig config;
  std::set<std::string> names;
  std::vector<int> owners(sizeof config);  // keys that each byte belongs to
  auto claim = [&](const auto* member) {
    auto begin = reinterpret_cast<const char*>(member) - reinterpret_cast<const char*>(&config);
    for (size_t i = 0; i < sizeof *member; ++i) ++owners[static_cast<size_t>(begin) + i];
  };
  for (const Key& key : config_keys()) {
    EXPECT_TRUE(names.insert(key.full_name()).second) << key.full_name();
    Field field = key.field(config);
    if (auto validation = std::get_if<ValidationField>(&field)) {
      claim(validation->fraction);
      claim(validation->files);
    } else {
      std::visit(
          [&](auto member) {
            if constexpr (std::is_pointer_v<decltype(member)>) claim(member);
          },
          field);
    }
  }
  claim(&config.optimizer.custom);  // for programs, which no file can name
  // What belongs to no key is padding, shorter than the alignment.
  size_t unowned = 0;
  for (int count : owners) {
    EXPECT_LE(count, 1);
    unowned = count == 0 ? unowned + 1 : 0;
    ASSERT_LT(unowned, alignof(RunConfig)) << "a member of RunConfig has no key";
  }
}

TEST(Schema, DefaultsAreAccepted) {
  RunConfig config;
  for (const Key& key : config_keys()) {
    Field field = key.field(config);
    if (auto number = std::get_if<int64_t*>(&field)) assign(key, config, **number, "default");
    if (auto number = std::get_if<double*>(&field)) assign(key, config, **number, "default");
    if (auto text = std::get_if<std::string*>(&field))
      assign(key, config, std::string(**text), "default");
  }
  EXPECT_EQ(config, RunConfig{});
}

TEST(Schema, DocsFitATableAndACommentLine) {
  for (const Key& key : config_keys()) {
    EXPECT_FALSE(key.doc.empty()) << key.full_name();
    EXPECT_EQ(key.doc.find_first_of("|\n"), std::string_view::npos) << key.full_name();
    bool known_section = false;
    for (const Section& section : config_sections())
      known_section = known_section || section.name == key.section;
    EXPECT_TRUE(known_section) << key.full_name();
  }
}

TEST(Schema, KeysOfOneSectionAreAdjacent) {
  std::set<std::string_view> left;
  std::string_view current;
  for (const Key& key : config_keys()) {
    if (key.section == current) continue;
    left.insert(current);
    current = key.section;
    EXPECT_FALSE(left.contains(current)) << current;
  }
}

TEST(Schema, SuggestsTheNearestKey) {
  EXPECT_EQ(suggest_key("model", "layer"), "did you mean model.layers?");
  EXPECT_EQ(suggest_key("model", "warmup_step"), "did you mean schedule.warmup_steps?");
  EXPECT_EQ(suggest_key("train", "kind"), "did you mean optimizer.kind or schedule.kind?");
  EXPECT_EQ(suggest_key("", "nmae"), "did you mean name?");
  EXPECT_EQ(suggest_key("model", "qqqqqqqqqqqqqqqq"), "");
}

TEST(Schema, RangesReadWell) {
  auto text = [](const char* name) { return find_key(name)->range.text(); };
  EXPECT_EQ(text("model.dropout"), "0 ≤ x < 1");
  EXPECT_EQ(text("optimizer.lr"), "≥ 0");
  EXPECT_EQ(text("model.norm_eps"), "> 0");
  EXPECT_EQ(text("model.init"), "");
}

TEST(Schema, NumbersAreShortAndExact) {
  EXPECT_EQ(toml_number(6e-4), "6e-4");
  EXPECT_EQ(toml_number(1e-10), "1e-10");
  EXPECT_EQ(toml_number(1), "1.0");
  EXPECT_EQ(toml_number(-2), "-2.0");
  EXPECT_EQ(toml_number(0.95), "0.95");
  for (double value : {1.0 / 3, 1e300, 5e-324, 123456789012345680.0, 0.1 + 0.2})
    EXPECT_EQ(std::strtod(toml_number(value).c_str(), nullptr), value);
}

TEST(Schema, StringsAreEscaped) {
  EXPECT_EQ(toml_string("a\"b\\c\nd\te\x01 é"), "\"a\\\"b\\\\c\\nd\\te\\u0001 é\"");
}

TEST(ConfigReference, CommittedPageIsTheDeclarations) {
  EXPECT_EQ(read_file(ANNEAL_SOURCE_DIR "/docs/config.md"), config_reference())
      << "print it again: anneal docs config > docs/config.md";
}

}  // namespace
}  // namespace anneal
