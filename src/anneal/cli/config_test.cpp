#include <gtest/gtest.h>
#include <functional>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/base/rng.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/config_write.hpp"
#include "anneal/cli/schema.hpp"

namespace anneal {
namespace {

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

// Sets every key to a value that differs with `seed` and that it accepts.
RunConfig scrambled(uint64_t seed) {
  RunConfig config;
  uint64_t index = 0;
  for (const Key& key : config_keys()) {
    auto random = philox(seed, index++, 0)[0];
    Field field = key.field(config);
    if (auto v = std::get_if<int64_t*>(&field))
      **v = static_cast<int64_t>(key.range.min) +
            random % static_cast<int64_t>(std::min(1000.0, key.range.max - key.range.min + 1));
    if (auto v = std::get_if<double*>(&field))
      **v = (random + 1) * 0x1p-33 + std::max(0.0, key.range.min);
    if (auto v = std::get_if<bool*>(&field)) **v = random % 2 == 0;
    if (auto v = std::get_if<std::string*>(&field))
      **v = key.choices.empty() ? str("text ", random, " \"quoted\" \\ \n\t# é = [")
                                : std::string(key.choices[random % key.choices.size()]);
    if (auto v = std::get_if<std::vector<std::string>*>(&field))
      **v = {str("a", random, ".txt"), "b \"c\".txt"};
    if (auto v = std::get_if<ValidationField>(&field)) {
      if (random % 2 == 0)
        *v->files = {"held out.txt", "]"};
      else
        *v->fraction = 0.125;
    }
  }
  return config;
}

TEST(Config, WrittenConfigReadsBackEqual) {
  EXPECT_EQ(parse_config(to_toml({}), "x").config, RunConfig{});
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto config = scrambled(seed);
    auto read = parse_config(to_toml(config), "config.toml");
    EXPECT_EQ(read.config, config) << to_toml(config);
    EXPECT_EQ(read.where.size(), config_keys().size());
  }
}

TEST(Config, HashTellsEveryKeyApart) {
  std::set<std::string> hashes{config_hash({})};
  EXPECT_EQ(config_hash({}), config_hash({}));
  RunConfig config;
  for (const Key& key : config_keys()) {
    Field field = key.field(config);
    if (auto v = std::get_if<int64_t*>(&field)) ++**v;
    if (auto v = std::get_if<double*>(&field)) **v += 0.001;
    if (auto v = std::get_if<bool*>(&field)) **v = !**v;
    if (auto v = std::get_if<std::string*>(&field)) **v += "x";
    if (auto v = std::get_if<std::vector<std::string>*>(&field)) (*v)->push_back("x");
    if (auto v = std::get_if<ValidationField>(&field)) *v->fraction += 0.001;
    EXPECT_TRUE(hashes.insert(config_hash(config)).second) << key.full_name();
  }
}

TEST(Config, RemembersWhereKeysWereSet) {
  auto loaded =
      parse_config("name = \"x\"\n\n[train]\nbatch = 4\nsteps = 3\n", "my.toml", {"train.steps=7"});
  EXPECT_EQ(loaded.at("name"), "my.toml:1: name");
  EXPECT_EQ(loaded.at("train.batch"), "my.toml:4: train.batch");
  EXPECT_EQ(loaded.at("train.steps"), "--set: train.steps");
  EXPECT_EQ(loaded.at("train.seed"), "my.toml: train.seed");
  EXPECT_FALSE(loaded.is_set("train.seed"));
}

TEST(Config, OverridesAreTomlOrBareText) {
  auto config = parse_config("", "my.toml",
                             {"model.layers = 3", "optimizer.lr=1e-4", "optimizer.kind=sgd",
                              "model.tie_embeddings=false", "name=2024-01-01",
                              "train.sample_prompt=\"a \\\"b\\\"\"", "data.train=[\"a\", \"b\"]",
                              "data.validation=held out.txt", "model.init=", "train.clip=1"})
                    .config;
  EXPECT_EQ(config.model.layers, 3);
  EXPECT_EQ(config.optimizer.lr, 1e-4);
  EXPECT_EQ(config.optimizer.kind, "sgd");
  EXPECT_FALSE(config.model.tie_embeddings);
  EXPECT_EQ(config.name, "2024-01-01");
  EXPECT_EQ(config.train.sample_prompt, "a \"b\"");
  EXPECT_EQ(config.data.train, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.data.validation_files, std::vector<std::string>{"held out.txt"});
  EXPECT_EQ(config.train.clip, 1.0);
  // A list and a fraction replace each other.
  EXPECT_EQ(parse_config("[data]\nvalidation = [\"a\"]", "my.toml", {"data.validation=0.5"})
                .config.data.validation_files.size(),
            0u);
  EXPECT_EQ(parse_config("", "x", {"train.steps=1", "train.steps=2"}).config.train.steps, 2);
}

TEST(Config, TheFirstMistakeOfTheFileIsReported) {
  auto message = error_of([] { parse_config("[train]\nzz = 1\nbatch = \"x\"\naa = 1\n", "f"); });
  EXPECT_EQ(message.substr(0, 14), "[f:2: train.zz");
}

TEST(Config, SectionsAreNoValues) {
  EXPECT_NE(error_of([] { parse_config("model = 3", "f"); }).find("[f:1: model] is a section"),
            std::string::npos);
  EXPECT_NE(error_of([] { parse_config("[[model]]\nlayers = 1", "f"); }).find("[f:1: model]"),
            std::string::npos);
  EXPECT_NE(error_of([] { parse_config("[name]\nlayers = 1", "f"); }).find("[f:1: name]"),
            std::string::npos);
  // Dotted keys are the same thing.
  EXPECT_EQ(parse_config("model.layers = 3", "f").config.model.layers, 3);
}

TEST(Config, DuplicatesNameBothPlaces) {
  EXPECT_NE(error_of([] {
              parse_config("[model]\nlayers = 1\n\nlayers = 2", "f");
            }).find("[f:4: model.layers] defined twice, first at f:2"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              parse_config("[model]\n[train]\n[model]\n", "f");
            }).find("[f:3: [model]] defined twice, first at f:1"),
            std::string::npos);
}

TEST(Config, ResolveFillsInWhatIsDerived) {
  RunConfig config;
  config.model.heads = 4;
  config.model.width = 64;
  resolve(config);
  EXPECT_EQ(config.model.kv_heads, 4);
  EXPECT_EQ(config.model.hidden, 256);
  EXPECT_EQ(config.train.eval_every, 0);
  EXPECT_EQ(config.train.sample_every, TrainConfig{}.sample_every);
  auto once = config;
  resolve(config);
  EXPECT_EQ(config, once);

  config.data.validation_fraction = 0.1;
  config.train.eval_every = 5;
  config.data.tokenizer.clear();
  resolve(config);
  EXPECT_EQ(config.train.eval_every, 5);
  EXPECT_EQ(config.train.sample_every, 0);
}

TEST(Config, AResolvedConfigPassesTheChecks) {
  auto loaded = parse_config("[data]\ntrain = [\"a\"]", "f");
  check_config(loaded);
  resolve(loaded.config);
  EXPECT_NO_THROW(check_config(parse_config(to_toml(loaded.config), "config.toml")));
}

TEST(Config, MessagesOfOtherRoomsAreLocated) {
  auto loaded = parse_config("[data]\ntrain = [\"a\"]", "f");
  EXPECT_EQ(with_location(loaded, "[data.train] is empty (add text)"),
            "[f:2: data.train] is empty (add text)");
  EXPECT_TRUE(with_location(loaded, "[model.context] too long")
                  .starts_with("[f: model.context] too long (model.context: length of"));
  EXPECT_EQ(with_location(loaded, "[a.jsonl:3] no text"), "[a.jsonl:3] no text");
  EXPECT_EQ(with_location(loaded, "no head"), "no head");
}

ModelConfig small_llama() {
  ModelConfig m;
  m.family = "llama";
  m.layers = 3;
  m.heads = 4;
  m.kv_heads = 2;
  m.width = 64;
  m.hidden = 128;
  m.context = 512;
  m.vocab_size = 1000;
  m.norm_eps = static_cast<double>(1e-6f);
  return m;
}

TEST(Config, InitBringsItsArchitecture) {
  auto loaded =
      parse_config("[model]\ninit = \"dir\"\ndropout = 0.1\ncontext = 128\nnorm_eps = 1e-6\n", "f");
  adopt_architecture(loaded, small_llama());
  auto expected = small_llama();
  expected.init = "dir";
  expected.dropout = 0.1;
  expected.context = 128;
  EXPECT_EQ(loaded.config.model, expected);
}

TEST(Config, InitRefusesKeysThatContradictIt) {
  auto with = [](const std::string& line) {
    return error_of([&] {
      auto loaded = parse_config("[model]\ninit = \"dir\"\n" + line, "f");
      adopt_architecture(loaded, small_llama());
    });
  };
  EXPECT_EQ(with("layers = 3"), "accepted");
  EXPECT_EQ(with("vocab_size = 0"), "accepted");
  EXPECT_NE(with("layers = 4").find("[f:3: model.layers] the model of model.init"),
            std::string::npos)
      << with("layers = 4");
  EXPECT_NE(with("family = \"gpt2\"").find("f:3: model.family"), std::string::npos);
  EXPECT_NE(with("norm_eps = 1e-5").find("f:3: model.norm_eps"), std::string::npos);
  EXPECT_NE(with("tie_embeddings = false").find("f:3: model.tie_embeddings"), std::string::npos);
  EXPECT_NE(with("context = 1024").find("reads at most 512 tokens"), std::string::npos);
}

TEST(Config, ResumeRefusesAnotherComputation) {
  RunConfig saved;
  saved.data.train = {"a"};
  saved.model.vocab_size = 4096;
  saved.parallel.shards = 2;
  resolve(saved);
  auto with = [&](const std::string& line, RunConfig before) {
    return error_of([&] {
      auto loaded = parse_config("[data]\ntrain = [\"a\"]\n" + line, "f");
      resolve(loaded.config);
      check_resume(loaded, before);
    });
  };
  EXPECT_EQ(with("", saved), "accepted");
  EXPECT_EQ(with("[checkpoint]\nkeep = 7", saved), "accepted");
  EXPECT_NE(with("[model]\nlayers = 7", saved).find("[f:4: model.layers] expected 6"),
            std::string::npos);
  EXPECT_NE(with("[train]\nseed = 2", saved).find("f:4: train.seed"), std::string::npos);
  EXPECT_NE(with("[parallel]\nshards = 4", saved).find("f:4: parallel.shards"), std::string::npos);
  // A key that is no longer set goes back to its default, which differs.
  auto other = saved;
  other.model.dropout = 0.1;
  EXPECT_NE(with("", other).find("f: model.dropout"), std::string::npos);

  EXPECT_NE(with("[train]\nsteps = 3000", saved).find("schedule.horizon to 2000"),
            std::string::npos);
  EXPECT_EQ(with("[train]\nsteps = 3000\n[schedule]\nhorizon = 2000", saved), "accepted");
  auto constant = saved;
  constant.schedule.kind = "constant";
  EXPECT_EQ(with("[train]\nsteps = 3000\n[schedule]\nkind = \"constant\"", constant), "accepted");
}

}  // namespace
}  // namespace anneal
