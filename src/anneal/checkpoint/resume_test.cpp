#include "anneal/checkpoint/resume.hpp"

#include <gtest/gtest.h>
#include <limits>

#include "anneal/base/rng.hpp"
#include "anneal/checkpoint/manifest.hpp"
#include "anneal/checkpoint/testing/sample_content.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    CheckpointWriter writer(dir_, 0);
    for (int64_t step : {1, 2}) {
      writer.save(SampleContent(step).content);
      writer.wait();
    }
  }
  fs::path folder(int64_t step) { return dir_ / checkpoint_folder_name(step); }

  // The newest valid step, and why the others were skipped.
  int64_t newest(std::vector<std::string>* skipped = nullptr) {
    auto info = newest_valid_checkpoint(dir_, skipped);
    return info ? info->step : -1;
  }

  TemporaryDirectory temporary_;
  fs::path dir_ = temporary_.path() / "run" / "checkpoints";
};

const char* const all_files[] = {"model.safetensors", "config.json",
                                 "anneal_state/state.safetensors", "anneal_state/run.json",
                                 "anneal_state/manifest.json"};

TEST_F(Resume, NothingThere) {
  EXPECT_TRUE(list_checkpoints(temporary_.path() / "missing").empty());
  EXPECT_FALSE(newest_valid_checkpoint(temporary_.path() / "missing"));
  EXPECT_FALSE(newest_valid_checkpoint(temporary_.path()));
}

TEST_F(Resume, EveryDamagedFileIsNoticedAndTheOneBeforeTaken) {
  for (const char* name : all_files) {
    auto path = folder(2) / name;
    auto good = read_file(path);
    auto check = [&](const std::string& what) {
      std::vector<std::string> skipped;
      EXPECT_EQ(newest(&skipped), 1) << name << " " << what;
      ASSERT_EQ(skipped.size(), 1u) << name << " " << what;
      EXPECT_NE(skipped[0].find(path.string()), std::string::npos) << skipped[0];
      EXPECT_FALSE(verify_checkpoint(folder(2)).empty());
    };
    for (uint32_t i = 0; i < 100; ++i) {
      auto random = philox(2, i, 0);
      auto bad = good;
      bad[random[0] % bad.size()] ^= static_cast<char>(1 << random[1] % 8);
      FileWriter(path).write(bad);
      check("with a flipped bit");
    }
    for (size_t keep : {size_t{0}, good.size() / 2, good.size() - 1}) {
      FileWriter(path).write(good.substr(0, keep));
      check("cut off");
    }
    FileWriter(path).write(good + "x");
    check("with a byte more");
    fs::remove(path);
    check("missing");
    fs::create_directory(path);
    check("a folder");
    fs::remove(path);
    FileWriter(path).write(good);
    EXPECT_EQ(newest(), 2) << name;
  }
}

TEST_F(Resume, AManifestOfAnotherStepIsNotTaken) {
  fs::remove_all(folder(2));
  fs::copy(folder(1), folder(2), fs::copy_options::recursive);
  std::vector<std::string> skipped;
  EXPECT_EQ(newest(&skipped), 1);
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("step 1"), std::string::npos);
}

TEST_F(Resume, ListSaysWhatIsWrong) {
  fs::remove(folder(1) / "config.json");
  auto all = list_checkpoints(dir_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[0].problem.find("config.json] is missing"), std::string::npos) << all[0].problem;
  EXPECT_EQ(all[1].problem, "");
}

TEST_F(Resume, ModelDirectoryThatTheUserMeans) {
  auto run = dir_.parent_path();
  for (const auto& path : {run, dir_, folder(2)})
    EXPECT_EQ(resolve_model_directory(path), folder(2)) << path;
  EXPECT_EQ(resolve_model_directory(folder(1)), folder(1));
  // Any Hugging Face directory, without our state.
  fs::copy(folder(1), run / "exported", fs::copy_options::recursive);
  fs::remove_all(run / "exported" / "anneal_state");
  EXPECT_EQ(resolve_model_directory(run / "exported"), run / "exported");
}

TEST_F(Resume, ModelDirectoryThatCannotBeMeant) {
  auto refusal = [](const fs::path& path) -> std::string {
    try {
      resolve_model_directory(path);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  };
  auto run = dir_.parent_path();
  EXPECT_NE(refusal(run / "missing").find("is not there"), std::string::npos);
  EXPECT_NE(refusal(folder(1) / "config.json").find("not a folder"), std::string::npos);
  fs::create_directories(run / "empty" / "checkpoints");
  EXPECT_NE(refusal(run / "empty").find("no usable checkpoint yet"), std::string::npos);
  fs::create_directories(run / "hf");
  EXPECT_NE(refusal(run / "hf").find("has no config.json"), std::string::npos);
  FileWriter(run / "hf" / "config.json").write("{}");
  EXPECT_NE(refusal(run / "hf").find("has no model.safetensors"), std::string::npos);
  FileWriter(run / "hf" / "model.safetensors.index.json").write("{}");
  EXPECT_EQ(resolve_model_directory(run / "hf"), run / "hf");
  for (int64_t step : {1, 2}) FileWriter(folder(step) / "config.json").write("{");
  EXPECT_NE(refusal(run).find("config.json] is 1 bytes"), std::string::npos) << refusal(run);
  EXPECT_NE(refusal(folder(1)).find("config.json] is 1 bytes"), std::string::npos);
}

TEST(Manifest, RoundTripAndHostileNames) {
  Manifest manifest{7,
                    1.0 / 3,
                    {{"model.safetensors", 8, std::string(32, 'a')},
                     {"anneal_state/state.safetensors", 9, std::string(32, 'b')}}};
  EXPECT_EQ(parse_manifest(manifest_text(manifest), "m"), manifest);
  manifest.validation_loss.reset();
  EXPECT_EQ(parse_manifest(manifest_text(manifest), "m"), manifest);
  EXPECT_EQ(manifest.bytes(), 17);
  for (const char* name : {"../x", "/etc/passwd", "a/../../x", "", "a//b", "./a", "a/"}) {
    auto bad = manifest;
    bad.files.push_back({name, 0, ""});
    EXPECT_THROW(parse_manifest(manifest_text(bad), "m"), FormatError) << name;
  }
  int64_t most = std::numeric_limits<int64_t>::max();
  for (const ManifestFile& file :
       std::vector<ManifestFile>{{"model.safetensors", 8, ""}, {"x", -1, ""}, {"x", most, ""}}) {
    auto bad = manifest;
    bad.files.push_back(file);
    EXPECT_THROW(parse_manifest(manifest_text(bad), "m"), FormatError) << file.bytes;
  }
  auto before_the_first = manifest;
  before_the_first.step = -1;
  EXPECT_THROW(parse_manifest(manifest_text(before_the_first), "m"), FormatError);
  manifest.files.pop_back();
  EXPECT_THROW(parse_manifest(manifest_text(manifest), "m"), FormatError);
  for (std::string text : {"", "{}", "[]", "null", "{\"format\":\"anneal-checkpoint\"}",
                           "{\"format\":\"anneal-checkpoint\",\"version\":2}"})
    EXPECT_THROW(parse_manifest(text, "m"), FormatError) << text;
  EXPECT_THROW(parse_manifest(std::string(1000000, '['), "m"), FormatError);
}

}  // namespace
}  // namespace anneal
