// The program as a user meets it: help, exit codes, and what goes to stdout.

#include <gtest/gtest.h>

#include "anneal/cli/command.hpp"
#include "run_program.hpp"

namespace anneal {
namespace {

TEST(Program, EveryCommandHasHelpWithAnExample) {
  auto top = run_program({"--help"});
  EXPECT_EQ(top.code, 0);
  EXPECT_EQ(top.err, "");
  for (const Command& command : all_commands()) {
    std::vector<std::string> words;
    auto space = command.name.find(' ');
    words.push_back(command.name.substr(0, space));
    EXPECT_EQ(top.out.find("\n  " + words[0] + " ") != std::string::npos, !command.hidden)
        << command.name;
    if (space != std::string::npos) words.push_back(command.name.substr(space + 1));
    words.push_back("--help");
    auto help = run_program(words);
    EXPECT_EQ(help.code, 0) << command.name;
    EXPECT_EQ(help.err, "");
    EXPECT_NE(help.out.find(command.summary), std::string::npos) << help.out;
    EXPECT_NE(help.out.find("Example:\n  anneal " + command.name), std::string::npos) << help.out;
  }
}

TEST(Program, PrintsItsVersion) {
  auto result = run_program({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "anneal " + std::string(program_version()) + "\n");
  EXPECT_NE(read_file(ANNEAL_SOURCE_DIR "/CMakeLists.txt")
                .find("project(anneal VERSION " + std::string(program_version())),
            std::string::npos);
}

TEST(Program, CommandLinesThatItDoesNotUnderstandAreRefused) {
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  for (const Case& each : std::vector<Case>{
           {{}, "a command is missing"},
           {{"tokeniser"}, "did you mean tokenizer?"},
           {{"tokenizer"}, "a command is missing"},
           {{"tokenizer", "encod"}, "did you mean encode?"},
           {{"--frobnicate"}, "--frobnicate"},
           {{"tokenizer", "encode", "--tokenzier", "byte"}, "did you mean --tokenizer?"},
           {{"tokenizer", "encode", "x.txt"}, "--tokenizer is required"},
           {{"tokenizer", "train", "--vocab-size", "many"}, "--vocab-size = many"},
           {{"tokenizer", "train", "--vocab-size", "100"}, "[--vocab-size] expected 257"},
           {{"tokenizer", "encode", "--tokenizer", "none.json"}, "there is no none.json"},
           {{"tokenizer", "encode", "--tokenizer", "byte", "none.txt"}, "[none.txt] cannot open"},
           {{"data", "prepare"}, "FILE is required"},
           {{"data", "inspect", "a.toml", "b.toml"}, "unexpected argument: b.toml"},
           {{"data", "inspect", "--set", "train.steps=1", "none.toml"}, "[none.toml] there is no"},
           {{"plan", "--json", "--print-program", "a.toml"}, "[--json] does not go with"},
           {{"generate", "--model", "none", "--threads", "-1"}, "[threads] expected 0 to 4096"},
           {{"eval", "--model", "none", "--data", "x", "--threads", "100000"},
            "[threads] expected 0 to 4096"},
           {{"docs", "config", "x"}, "unexpected argument: x"}}) {
    auto result = run_program(each.arguments);
    EXPECT_EQ(result.code, 2) << each.message;
    EXPECT_EQ(result.out, "") << each.message;
    EXPECT_TRUE(result.err.starts_with("error: ")) << result.err;
    EXPECT_NE(result.err.find(each.message), std::string::npos) << result.err;
  }
}

TEST(Program, PrintsTheConfigReference) {
  auto result = run_program({"docs", "config"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, read_file(ANNEAL_SOURCE_DIR "/docs/config.md"));
}

TEST(Program, TokenizerRoundTripThroughPipes) {
  std::string text("H\xc3\xa9llo\0 w\xff\n<|endoftext|>\r\n\n", 24);
  auto ids = run_program({"tokenizer", "encode", "--tokenizer", "byte"}, text);
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_TRUE(ids.out.starts_with("72 195 169 108 108 111 0 32 119 255 10 ")) << ids.out;
  auto back = run_program({"tokenizer", "decode", "--tokenizer", "byte"}, ids.out);
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.out, text);

  auto special =
      run_program({"tokenizer", "encode", "--special", "--tokenizer", "byte"}, "a<|endoftext|>");
  EXPECT_EQ(special.out, "97 256\n");
  EXPECT_EQ(
      run_program({"tokenizer", "decode", "--skip-special", "--tokenizer", "byte"}, special.out)
          .out,
      "a");
  auto wrong = run_program({"tokenizer", "decode", "--tokenizer", "byte"}, "1 257");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("[stdin] expected token ids from 0 to 256, got 257"), std::string::npos);
}

TEST(Program, TrainsATokenizerFromFilesAndFromStdin) {
  TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "the cat sat on the mat " + std::to_string(i) + "\n";
  auto path = (dir.path() / "text.txt").string();
  FileWriter(path).write(text);
  auto a = (dir.path() / "a.json").string(), b = (dir.path() / "b.json").string();
  auto from_file = run_program({"tokenizer", "train", path, "--vocab-size", "300", "--out", a});
  ASSERT_EQ(from_file.code, 0) << from_file.err;
  EXPECT_EQ(from_file.out, "");
  auto from_stdin = run_program({"tokenizer", "train", "--vocab-size", "300", "--out", b}, text);
  ASSERT_EQ(from_stdin.code, 0) << from_stdin.err;
  EXPECT_EQ(read_file(a), read_file(b));
  auto ids = run_program({"tokenizer", "encode", "--tokenizer", a, path});
  EXPECT_EQ(run_program({"tokenizer", "decode", "--tokenizer", a}, ids.out).out, text);
}

TEST(Program, PreparesAndInspectsData) {
  TemporaryDirectory dir;
  auto path = (dir.path() / "text.txt").string();
  std::string text;
  for (int i = 0; i < 100; ++i) text += "line " + std::to_string(i) + " of the text\n";
  FileWriter(path).write(text);
  auto shards = (dir.path() / "shards").string();
  auto prepared = run_program({"data", "prepare", path, "--tokenizer", "byte", "--out", shards});
  ASSERT_EQ(prepared.code, 0) << prepared.err;
  EXPECT_NE(prepared.out.find(std::to_string(text.size() + 1) + " tokens, 1 documents"),
            std::string::npos)
      << prepared.out;

  auto config = (dir.path() / "my.toml").string();
  FileWriter(config).write("[data]\ntrain = [\"" + shards +
                           "/train.bin\"]\ntokenizer = \"byte\"\nshuffle = false\n");
  auto batch = run_program({"data", "inspect", config, "--set", "model.context=16", "--set",
                            "train.batch=2", "--set", "train.micro_batch=1"});
  EXPECT_EQ(batch.code, 0) << batch.err;
  EXPECT_NE(batch.out.find("line 0 of the te"), std::string::npos) << batch.out;

  auto wrong = run_program({"data", "prepare", path, "--tokenizer", "bpe:1", "--out", shards});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("[--tokenizer]"), std::string::npos) << wrong.err;
}

}  // namespace
}  // namespace anneal
