#include "anneal/monitor/progress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <array>
#include <cmath>
#include <string>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"

namespace anneal {
namespace {

double fake_time = 0;
double fake_clock() { return fake_time; }

// A Progress that writes to a file, with a clock of its own.
class ProgressTest : public testing::Test {
 protected:
  void SetUp() override {
    fake_time = 100;
    path_ = dir_.path() / "out";
    options_.fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    options_.clock = fake_clock;
    options_.total_steps = 100;
    options_.width = 100;
  }
  void TearDown() override { close(options_.fd); }

  std::string output() const { return read_file(path_); }
  static size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
    return n;
  }
  static StepEvent event(int64_t step) {
    StepEvent e;
    e.step = step;
    e.loss = 3.25;
    e.tokens_per_second = 12345;
    return e;
  }

  TemporaryDirectory dir_;
  std::filesystem::path path_;
  ProgressOptions options_;
};

TEST_F(ProgressTest, AFileGetsPlainLinesAtMostOneASecond) {
  Progress progress(options_);
  for (int64_t i = 1; i <= 100; ++i) {
    progress.update(event(i));
    fake_time += 0.25;
  }
  progress.finish();
  std::string text = output();
  EXPECT_EQ(count(text, "\n"), 26u);  // steps 1, 5, …, 97 and 100
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.substr(0, text.find('\n')), "step 1/100  loss 3.2500  12.3k tokens/s  --:-- left");
  EXPECT_NE(text.find("\nstep 5/100  loss 3.2500  12.3k tokens/s  0:24 left\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("step 100/100"), std::string::npos);
}

TEST_F(ProgressTest, PlainLinesFollowLogEvery) {
  options_.log_every = 30;
  Progress progress(options_);
  for (int64_t i = 1; i <= 100; ++i) {
    progress.update(event(i));
    fake_time += 5;
  }
  EXPECT_EQ(count(output(), "\n"), 4u);  // 30, 60, 90 and the last
}

TEST_F(ProgressTest, TheBarIsRedrawnAtMostTenTimesASecond) {
  options_.mode = ProgressOptions::Mode::bar;
  Progress progress(options_);
  for (int64_t i = 1; i < 100; ++i) {
    progress.update(event(i));
    fake_time += 0.03125;
  }
  EXPECT_EQ(count(output(), "\r"), 25u);  // every fourth step
  progress.update(event(100));
  EXPECT_EQ(count(output(), "\r"), 26u);
  progress.finish();
  std::string text = output();
  EXPECT_EQ(text.back(), '\n');
  EXPECT_NE(text.find("\r[########################################] step 100/100"),
            std::string::npos);
}

TEST_F(ProgressTest, LogMessagesClearTheBarAndBringItBack) {
  options_.mode = ProgressOptions::Mode::bar;
  Progress progress(options_);
  log_info("before the first step");
  EXPECT_EQ(output(), "");
  progress.update(event(1));
  std::string first = output();
  log_info("a message over the bar");
  EXPECT_EQ(output(), first + "\r\x1b[K" + first);
  progress.clear();
  std::string cleared = output();
  EXPECT_EQ(cleared, first + "\r\x1b[K" + first + "\r\x1b[K");
  log_info("a message without the bar");
  EXPECT_EQ(output(), cleared);
  progress.finish();
  std::string finished = output();
  log_info("after the end");
  progress.update(event(2));
  EXPECT_EQ(output(), finished);
}

TEST_F(ProgressTest, AnOutputThatFailsIsIgnored) {
  close(options_.fd);
  options_.fd = open("/dev/full", O_WRONLY);
  for (auto mode : {ProgressOptions::Mode::bar, ProgressOptions::Mode::lines}) {
    options_.mode = mode;
    Progress progress(options_);
    progress.update(event(100));
  }
  EXPECT_EQ(output(), "");
}

TEST(FormatProgress, FitsAnyWidth) {
  std::array<char, 300> buffer;
  ProgressState state{120, 2000, 3.14159, 12345, 83};
  for (int width = 0; width < 200; ++width) {
    auto text = format_progress(state, width, buffer);
    EXPECT_LE(text.size(), static_cast<size_t>(width));
    EXPECT_EQ(text.find('\0'), std::string_view::npos);
    if (width >= 55) {
      EXPECT_NE(text.find("1:23 left"), std::string_view::npos) << width;
    }
    EXPECT_EQ(text.find('[') != std::string_view::npos, width >= 66) << width;
  }
  EXPECT_EQ(format_progress(state, 66, buffer),
            "[..........] step 120/2000  loss 3.1416  12.3k tokens/s  1:23 left");
  EXPECT_EQ(format_progress(state, 13, buffer), "step 120/2000");
  for (size_t size = 0; size < 40; ++size)
    EXPECT_LE(format_progress(state, 100, std::span(buffer).first(size)).size(), size);
}

TEST(FormatProgress, OddStates) {
  std::array<char, 300> buffer;
  EXPECT_NE(format_progress({0, 0, NAN, INFINITY, NAN}, 100, buffer).find("loss nan"),
            std::string_view::npos);
  EXPECT_NE(format_progress({50, 10, 1e300, 0, 0}, 100, buffer).find("step 50/10"),
            std::string_view::npos);
}

TEST(FormatDuration, Examples) {
  char buffer[32];
  EXPECT_EQ(format_duration(7.4, buffer), "0:07");
  EXPECT_EQ(format_duration(754, buffer), "12:34");
  EXPECT_EQ(format_duration(59.9, buffer), "1:00");
  EXPECT_EQ(format_duration(3 * 3600 + 5 * 60 + 59, buffer), "3:05:59");
  EXPECT_EQ(format_duration(4 * 86400 + 2 * 3600, buffer), "4d 02h");
  EXPECT_EQ(format_duration(-1, buffer), "--:--");
  EXPECT_EQ(format_duration(NAN, buffer), "--:--");
  EXPECT_EQ(format_duration(1e300, buffer), "--:--");
}

TEST(FormatRate, Examples) {
  char buffer[32];
  EXPECT_EQ(format_rate(0, buffer), "0");
  EXPECT_EQ(format_rate(873.2, buffer), "873");
  EXPECT_EQ(format_rate(999.6, buffer), "1.00k");
  EXPECT_EQ(format_rate(1240, buffer), "1.24k");
  EXPECT_EQ(format_rate(12345, buffer), "12.3k");
  EXPECT_EQ(format_rate(99960, buffer), "100k");
  EXPECT_EQ(format_rate(35.1e6, buffer), "35.1M");
  EXPECT_EQ(format_rate(999999, buffer), "1.00M");
  EXPECT_EQ(format_rate(NAN, buffer), "nan");
}

}  // namespace
}  // namespace anneal
