// Whole configs and the files they name.

#include "config_files.hpp"

#include "anneal/checkpoint/hf_config.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/config_write.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

// Planning, benchmarks and the profiler need no text, but then they must know the vocabulary.
TEST_F(ConfigFiles, DataIsOptionalWhereOnlyShapesMatter) {
  auto path = dir_.path() / "bare.toml";
  write_text(path, "[model]\nwidth = 64\nheads = 4\nvocab_size = 50\n");
  auto loaded = load_config(path, {}, DataRule::optional);
  EXPECT_TRUE(loaded.config.data.train.empty());
  EXPECT_EQ(loaded.config.train.eval_every, 0);
  EXPECT_EQ(loaded.config.train.sample_every, 0);
  EXPECT_THROW(load_config(path), UsageError);
  EXPECT_THROW(load_config(path, {"data.train=[]"}, DataRule::optional), UsageError);
  // Keys about data that is not there are mistakes; how it would be read is not.
  for (const char* key : {"data.validation=0.1", "data.tokenizer=byte", "data.dtype=uint16"})
    EXPECT_THROW(load_config(path, {key}, DataRule::optional), UsageError) << key;
  EXPECT_FALSE(load_config(path, {"data.prefetch=false"}, DataRule::optional).config.data.prefetch);
  try {
    load_config(path, {"model.vocab_size=0"}, DataRule::optional);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("model.vocab_size"), std::string::npos)
        << error.what();
  }
}

TEST_F(ConfigFiles, AConfigThatIsNoFileIsRefused) {
  auto message = [](const fs::path& path) -> std::string {
    try {
      load_config(path);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  auto missing = message(dir_.path() / "none.toml");
  EXPECT_NE(missing.find("none.toml"), std::string::npos) << missing;
  EXPECT_NE(missing.find("check the path"), std::string::npos) << missing;

  auto folder = message(dir_.path());
  EXPECT_NE(folder.find("is a directory"), std::string::npos) << folder;
  write_text(dir_.path() / "config.toml", "");
  folder = message(dir_.path());
  EXPECT_NE(folder.find("config.toml"), std::string::npos) << folder;

  write_text(dir_.path() / "huge.toml", std::string((1 << 20) + 1, '#'));
  auto huge = message(dir_.path() / "huge.toml");
  EXPECT_NE(huge.find("larger than 1 MiB"), std::string::npos) << huge;

  write_text(dir_.path() / "binary.toml", std::string("\x00\xff\xfe\x01", 4));
  auto binary = message(dir_.path() / "binary.toml");
  EXPECT_NE(binary.find("binary.toml:1"), std::string::npos) << binary;

  // Nesting that would exhaust the stack of a recursive parser.
  std::string dots;
  for (int i = 0; i < 400000; ++i) dots += ".a";
  for (const auto& text : {"x = " + std::string(1000000, '['), "a" + dots + " = 1\n",
                           "[a" + dots + "]\n", "x = {a" + dots + " = 1}\n"}) {
    write_text(dir_.path() / "deep.toml", text);
    auto deep = message(dir_.path() / "deep.toml");
    EXPECT_NE(deep.find("deep.toml:1"), std::string::npos) << deep.substr(0, 200);
    EXPECT_LT(deep.size(), 1000u);
  }
}

TEST_F(ConfigFiles, AnEmptyConfigLacksTrainingFilesOnly) {
  try {
    load_config(write_config(""));
    FAIL();
  } catch (const UsageError& error) {
    std::string message = error.what();
    EXPECT_NE(message.find("my.toml: data.train"), std::string::npos) << message;
  }
  auto pattern = (dir_.path() / "text-*.txt").string();
  auto loaded = load_config(write_config(""), {"data.train=" + pattern, "model.context=16"});
  EXPECT_EQ(loaded.config.data.train, std::vector<std::string>{pattern});
  EXPECT_EQ(loaded.config.train.eval_every, 0);
}

TEST_F(ConfigFiles, InitBringsArchitectureAndTokenizer) {
  ModelConfig model;
  model.family = "llama";
  model.layers = 2;
  model.heads = 4;
  model.kv_heads = 2;
  model.width = 64;
  model.hidden = 96;
  model.context = 32;
  model.vocab_size = 257;
  auto init = dir_.path() / "model";
  fs::create_directory(init);
  write_text(init / "config.json", hf_config_json(model, {}));
  write_text(init / "tokenizer.json", Tokenizer::bytes().to_json());
  auto train = "data.train=" + (dir_.path() / "text-*.txt").string();
  auto path = write_config("[model]\ninit = \"@/model\"\ncontext = 16\n");
  auto loaded = load_config(path, {train});
  model.init = init.string();
  model.context = 16;
  EXPECT_EQ(loaded.config.model, model);
  EXPECT_EQ(loaded.config.data.tokenizer, init.string());
  // What was written for the run reads back as the same run.
  auto resolved = dir_.path() / "config.toml";
  write_text(resolved, to_toml(loaded.config));
  EXPECT_EQ(load_config(resolved).config, loaded.config);

  try {
    load_config(path, {train, "model.layers=3"});
    FAIL();
  } catch (const UsageError& error) {
    std::string message = error.what();
    EXPECT_NE(message.find("[--set: model.layers] the model of model.init"), std::string::npos)
        << message;
  }
  write_text(init / "config.json", "{\"model_type\": ");
  EXPECT_THROW(load_config(path, {train}), UsageError);
}

// The example that the project's contract shows its users.
TEST_F(ConfigFiles, TheContractsExampleIsAccepted) {
  auto loaded = load_config(write_config(R"(name = "docs-small"
[model]
family = "gpt2"          # gpt2 | llama | (more as they come)
layers = 6
heads = 6
kv_heads = 6             # llama; default: heads
width = 384              # residual width
hidden = 1536            # feed-forward width; gpt2's default: 4·width
context = 256            # tokens a sequence
vocab_size = 0           # 0: the tokenizer's
dropout = 0.0
tie_embeddings = true
norm_eps = 1e-5
rope_theta = 10000.0
init = ""
[data]
train = ["@/text-*.txt"]
validation = 0.25
tokenizer = "bpe:4096"
shuffle = true
dtype = "uint16"         # of a bare .bin
[train]
steps = 2000
batch = 32
micro_batch = 8
precision = "bf16"
clip = 1.0
seed = 1
eval_every = 200
eval_batches = 20
sample_every = 500
sample_prompt = ""
recompute = "none"
[optimizer]
kind = "adamw"
lr = 6e-4
[schedule]
kind = "cosine"
warmup_steps = 100
min_lr = 6e-5
horizon = 0
[parallel]
threads = 0
shards = 0
[checkpoint]
every = 500
keep = 3
[monitor]
log_every = 1
)"));
  EXPECT_EQ(loaded.config.name, "docs-small");
  EXPECT_EQ(loaded.config.train.precision, "bf16");
  EXPECT_EQ(loaded.config.train.sample_every, 500);
  auto resolved = dir_.path() / "config.toml";
  write_text(resolved, to_toml(loaded.config));
  EXPECT_EQ(load_config(resolved).config, loaded.config);
}

TEST_F(ConfigFiles, BareShardsMustBeDescribed) {
  auto shard = "data.train=" + (dir_.path() / "bare.bin").string();
  auto path = write_config("");
  auto message = [&](const std::vector<std::string>& overrides) -> std::string {
    try {
      load_config(path, overrides);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message({shard}).find("my.toml: data.dtype] is missing"), std::string::npos);
  auto without_size = message({shard, "data.dtype=uint16"});
  EXPECT_NE(without_size.find("my.toml: model.vocab_size] is needed"), std::string::npos);
  EXPECT_NE(message({shard, "data.dtype=uint8"}).find("[--set: data.dtype] \"uint8\""),
            std::string::npos);
}

TEST_F(ConfigFiles, BareShardsHaveNoTokenizer) {
  auto shard = (dir_.path() / "bare.bin").string();
  auto loaded = load_config(write_config(""), {"data.train=" + shard, "data.dtype=uint16",
                                               "model.vocab_size=10", "model.context=16"});
  EXPECT_EQ(loaded.config.data.tokenizer, "");
  EXPECT_EQ(loaded.config.train.sample_every, 0);
}

}  // namespace
}  // namespace anneal
