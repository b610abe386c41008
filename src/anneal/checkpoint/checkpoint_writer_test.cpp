#include "anneal/checkpoint/checkpoint_writer.hpp"

#include <gtest/gtest.h>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "anneal/base/log.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "anneal/checkpoint/testing/io_faults.hpp"
#include "anneal/checkpoint/testing/sample_content.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

class Checkpoints : public testing::Test {
 protected:
  void TearDown() override { disarm(); }

  void save(CheckpointWriter& writer, int64_t step, std::optional<double> loss = {},
            int64_t variant = 0) {
    SampleContent sample(step, variant);
    sample.content.validation_loss = loss;
    writer.save(sample.content);
    writer.wait();
  }
  fs::path folder(int64_t step) { return dir_ / checkpoint_folder_name(step); }
  std::string newest() {
    auto info = newest_valid_checkpoint(dir_);
    return info ? info->dir.filename().string() : "none";
  }

  TemporaryDirectory temporary_;
  fs::path dir_ = temporary_.path() / "run" / "checkpoints";
};

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST_F(Checkpoints, SaveAndReadBack) {
  CheckpointWriter writer(dir_, 3);
  EXPECT_FALSE(fs::exists(dir_));
  SampleContent sample(100);
  sample.content.validation_loss = 2.5;
  auto report = writer.save(sample.content);
  writer.wait();
  EXPECT_EQ(report.step, 100);
  EXPECT_GE(report.stall_seconds, report.wait_seconds);
  EXPECT_EQ(names_in(dir_), "step-00000100");
  EXPECT_EQ(names_in(folder(100)), "anneal_state config.json model.safetensors");
  EXPECT_EQ(names_in(folder(100) / "anneal_state"), "manifest.json run.json state.safetensors");
  EXPECT_EQ(difference_from_sample(folder(100), 100), "");
  auto info = newest_valid_checkpoint(dir_);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->step, 100);
  EXPECT_EQ(info->validation_loss, 2.5);
  EXPECT_EQ(info->bytes, report.bytes);
}

TEST_F(Checkpoints, MemoryMayChangeAsSoonAsSaveReturns) {
  CheckpointWriter writer(dir_, 3);
  SampleContent sample(1);
  writer.save(sample.content);
  std::fill(sample.weights.begin(), sample.weights.end(), -1.0f);
  std::fill(sample.moments.begin(), sample.moments.end(), -1.0f);
  sample.content.files.clear();
  writer.wait();
  EXPECT_EQ(difference_from_sample(folder(1), 1), "");
}

TEST_F(Checkpoints, ASecondSaveWaitsForTheFirst) {
  CheckpointWriter writer(dir_, 0);
  for (int64_t step = 1; step <= 5; ++step) writer.save(SampleContent(step).content);
  writer.wait();
  writer.wait();
  for (int64_t step = 1; step <= 5; ++step)
    EXPECT_EQ(difference_from_sample(folder(step), step), "");
}

TEST_F(Checkpoints, EmptyModelAndNoFiles) {
  {
    CheckpointWriter writer(dir_, 1);
    writer.save({});
  }  // the destructor waits
  EXPECT_EQ(newest(), "step-00000000");
}

TEST_F(Checkpoints, KeepsTheNewestAndTheBest) {
  CheckpointWriter writer(dir_, 2);
  const double losses[] = {3.0, 2.0, 2.5, 2.7, std::numeric_limits<double>::quiet_NaN(), 2.8};
  for (int64_t step = 1; step <= 6; ++step) save(writer, step, losses[step - 1]);
  EXPECT_EQ(names_in(dir_), "step-00000002 step-00000005 step-00000006");
  save(writer, 7);
  save(writer, 8, 2.0);  // as good: the newer one
  save(writer, 9);
  EXPECT_EQ(names_in(dir_), "step-00000008 step-00000009");
}

TEST_F(Checkpoints, KeepZeroKeepsAll) {
  CheckpointWriter writer(dir_, 0);
  for (int64_t step = 0; step < 6; ++step) save(writer, step);
  EXPECT_EQ(list_checkpoints(dir_).size(), 6u);
}

TEST_F(Checkpoints, RotationNeverTouchesWhatWasJustWrittenNorTheDamaged) {
  {
    CheckpointWriter writer(dir_, 1);
    save(writer, 300);
  }
  fs::resize_file(folder(300) / "model.safetensors", 10);
  CheckpointWriter writer(dir_, 1);
  save(writer, 200);
  EXPECT_EQ(names_in(dir_), "step-00000200 step-00000300");
  EXPECT_EQ(newest(), "step-00000200");
  save(writer, 250);
  EXPECT_EQ(names_in(dir_), "step-00000250 step-00000300");
  // Content that was damaged shows only when it is read: still the one just written stays.
  save(writer, 400);
  auto path = folder(400) / "model.safetensors";
  auto content = read_file(path);
  content.back() ^= 1;
  FileWriter(path).write(content);
  save(writer, 260);
  EXPECT_EQ(newest(), "step-00000260");
}

TEST_F(Checkpoints, ForeignFoldersAreLeftAlone) {
  for (const char* name : {"step-1", "step-000000001", "step-0000000x", "best", "step-"})
    fs::create_directories(dir_ / name);
  CheckpointWriter writer(dir_, 1);
  save(writer, 1);
  save(writer, 2);
  EXPECT_EQ(names_in(dir_), "best step- step-000000001 step-00000002 step-0000000x step-1");
  EXPECT_EQ(list_checkpoints(dir_).size(), 1u);
}

TEST_F(Checkpoints, TheSameStepIsReplaced) {
  CheckpointWriter writer(dir_, 3);
  for (bool no_exchange : {false, true})
    for (int64_t variant : {1, 2, 3}) {
      IoFaults faults;
      faults.no_exchange = no_exchange;
      arm(faults);
      save(writer, 5, {}, variant);
      EXPECT_EQ(difference_from_sample(folder(5), 5, variant), "");
      EXPECT_EQ(names_in(dir_), "step-00000005");
      EXPECT_EQ(newest(), "step-00000005");
    }
}

TEST_F(Checkpoints, LeftoversOfAKilledRunAreCleared) {
  {
    CheckpointWriter writer(dir_, 3);
    save(writer, 1);
    save(writer, 2);
    save(writer, 3);
  }
  fs::rename(folder(3), dir_ / ".tmp-step-00000003");
  fs::rename(folder(2), dir_ / ".replaced-step-00000002");
  fs::copy(folder(1), dir_ / ".replaced-step-00000001", fs::copy_options::recursive);
  // Before anybody cleans up, the replaced one counts if it is the only one of its step.
  auto info = newest_valid_checkpoint(dir_);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->step, 2);
  EXPECT_EQ(list_checkpoints(dir_).size(), 2u);
  CheckpointWriter writer(dir_, 3);
  EXPECT_EQ(names_in(dir_), "step-00000001 step-00000002");
  EXPECT_EQ(difference_from_sample(folder(2), 2), "");
}

TEST_F(Checkpoints, NotEnoughSpaceIsSaidBeforeAnythingIsWritten) {
  CheckpointWriter writer(dir_, 3);
  save(writer, 1);
  IoFaults faults;
  faults.free_blocks = 3;
  arm(faults);
  auto message = message_of([&] { save(writer, 2); });
  EXPECT_NE(message.find("GiB are free there"), std::string::npos) << message;
  EXPECT_NE(message.find("step 2 was not saved"), std::string::npos) << message;
  disarm();
  EXPECT_EQ(names_in(dir_), "step-00000001");
  save(writer, 2);
  EXPECT_EQ(newest(), "step-00000002");
}

TEST_F(Checkpoints, AFolderThatCannotBeMade) {
  fs::create_directories(dir_.parent_path());
  FileWriter(dir_).write("a file");
  auto message = message_of([&] {
    CheckpointWriter writer(dir_, 3);
    save(writer, 1);
  });
  EXPECT_NE(message.find(dir_.string()), std::string::npos) << message;
  EXPECT_EQ(read_file(dir_), "a file");
}

// Every single call of a save fails once: either the save says so and the earlier checkpoint is as
// it was, or the failed call did not matter.
TEST_F(Checkpoints, AFailureAnywhereLeavesTheEarlierCheckpoints) {
  set_log_level(LogLevel::error);
  for (bool fail_all_after : {false, true}) {
    int64_t failures = 0;
    for (int64_t at = 1;; ++at) {
      ASSERT_LT(at, 1000);
      fs::remove_all(dir_);
      CheckpointWriter writer(dir_, 1);
      save(writer, 1);
      IoFaults faults;
      faults.action = IoFaults::Action::fail;
      faults.at = at;
      faults.error = ENOSPC;
      faults.fail_all_after = fail_all_after;
      arm(faults);
      auto message = message_of([&] { save(writer, 2); });
      bool reached = disarm() >= at;
      if (message == "no error") {
        EXPECT_EQ(newest(), "step-00000002") << at;
        EXPECT_EQ(difference_from_sample(folder(2), 2), "");
      } else {
        ++failures;
        EXPECT_NE(message.find(std::strerror(ENOSPC)), std::string::npos) << message;
        EXPECT_NE(message.find("step 2 was not saved"), std::string::npos) << message;
        ASSERT_FALSE(list_checkpoints(dir_).empty()) << at;
        EXPECT_EQ(difference_from_sample(folder(1), 1), "") << at;
      }
      // And saving goes on.
      save(writer, 3);
      EXPECT_EQ(newest(), "step-00000003") << at;
      if (!reached) break;
    }
    EXPECT_GT(failures, 15);
  }
  set_log_level(LogLevel::info);
}

// What makes a checkpoint survive a power failure: everything in it is on the disk before it gets
// its name, the manifest after all else, and the name itself before save is done.
TEST_F(Checkpoints, EverythingIsSyncedBeforeTheRename) {
  CheckpointWriter writer(dir_, 1);
  save(writer, 1);
  IoFaults faults;
  faults.record = true;
  arm(faults);
  save(writer, 2);
  auto calls = recorded_calls();
  disarm();

  auto temporary = (dir_ / ".tmp-step-00000002").string();
  auto first = [&](const std::string& call) {
    return std::find(calls.begin(), calls.end(), call) - calls.begin();
  };
  auto last = [&](const std::string& call) {
    return calls.rend() - std::find(calls.rbegin(), calls.rend(), call) - 1;
  };
  auto renamed = first("rename " + temporary + " " + folder(2).string());
  auto manifest = temporary + "/anneal_state/manifest.json";
  ASSERT_LT(renamed, static_cast<std::ptrdiff_t>(calls.size()));
  for (const char* name : {"/model.safetensors", "/config.json", "/anneal_state/state.safetensors",
                           "/anneal_state/run.json"}) {
    EXPECT_LT(last("write " + temporary + name), first("sync " + temporary + name)) << name;
    EXPECT_LT(first("sync " + temporary + name), first("write " + manifest)) << name;
  }
  EXPECT_LT(last("write " + manifest), first("sync " + manifest));
  for (const auto& path : {manifest, temporary + "/anneal_state", temporary})
    EXPECT_LT(first("sync " + path), renamed) << path;
  EXPECT_LT(first("create " + manifest), first("sync " + temporary + "/anneal_state"));
  auto parent_synced = last("sync " + dir_.string());
  EXPECT_GT(parent_synced, renamed);
  // Nothing old goes before the new one is there for good.
  for (size_t i = 0; i < calls.size(); ++i)
    if (calls[i].starts_with("rename " + folder(1).string())) {
      EXPECT_GT(static_cast<std::ptrdiff_t>(i), parent_synced);
    }
}

}  // namespace
}  // namespace anneal
