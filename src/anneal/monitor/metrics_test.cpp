#include "anneal/monitor/metrics.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

StepEvent step_event(int64_t step) {
  StepEvent e;
  e.step = step;
  e.tokens = step * 8192;
  e.loss = 9.0 / static_cast<double>(step);
  e.accuracy = 0.1;
  e.grad_norm = 1.0 / 3.0;
  e.lr = 6e-4;
  e.step_seconds = 0.25;
  e.mfu = 0.5;
  e.rss_bytes = int64_t{1} << 40;
  return e;
}

std::vector<std::string> keys(const std::string& line) {
  std::vector<std::string> names;
  Json json = Json::parse(line);
  for (auto& item : json.items()) names.push_back(item.key());
  return names;
}

std::vector<int64_t> steps(const std::filesystem::path& path) {
  std::vector<int64_t> result;
  for (const auto& event : read_metrics(path))
    result.push_back(std::visit([](const auto& e) { return e.step; }, event));
  return result;
}

// The fields and their order are a contract with everybody who reads the file.
TEST(Metrics, LinesHoldTheFieldsOfTheContract) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(keys(to_json(StepEvent{})),
            (Names{"event", "step", "tokens", "loss", "accuracy", "grad_norm", "lr", "step_seconds",
                   "data_wait_seconds", "tokens_per_second", "mfu", "cpu_percent", "read_bytes",
                   "rss_bytes", "loss_scale", "skipped"}));
  EXPECT_EQ(keys(to_json(EvalEvent{})),
            (Names{"event", "step", "loss", "perplexity", "accuracy", "bits_per_byte"}));
  EXPECT_EQ(keys(to_json(StartEvent{})),
            (Names{"event", "step", "config_hash", "host", "device", "instruction_set", "ranks",
                   "threads", "parameters", "planned_bytes", "baseline_bytes"}));
  EXPECT_EQ(keys(to_json(CheckpointEvent{})),
            (Names{"event", "step", "path", "bytes", "stall_seconds", "total_seconds"}));
  EXPECT_EQ(keys(to_json(AlertEvent{})), (Names{"event", "step", "kind", "message"}));
  EXPECT_EQ(keys(to_json(EndEvent{})), (Names{"event", "step", "status", "peak_anon_bytes",
                                              "peak_rss_bytes", "wall_seconds"}));
}

TEST(Metrics, EveryEventReadsBackEqual) {
  const std::vector<MetricsEvent> events = {
      StartEvent{40, "ab12", "node-1", "AMD EPYC", "avx2", 2, 4, 30'000'000, 1 << 30, 12'345},
      step_event(41),
      EvalEvent{50, 1.25, 3.5, 0.5, 1.0 / 3},
      EvalEvent{50, 1.25, 3.5, 0.5, std::nullopt},
      CheckpointEvent{50, "checkpoints/step-00000050", 123, 0.01, 0.5},
      AlertEvent{51, "loss_spike", "a \"quote\", a \\, a \n and a é"},
      EndEvent{60, "done", 1, 2, 3.75}};
  for (const auto& event : events) {
    auto back = parse_metrics_line(to_json(event));
    ASSERT_TRUE(back);
    EXPECT_TRUE(*back == event) << to_json(event) << " became " << to_json(*back);
  }
}

TEST(Metrics, NumbersKeepAllTheirBits) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 10000; ++i) {
    StepEvent e;
    e.loss = std::bit_cast<double>(random());
    if (!std::isfinite(e.loss)) continue;
    auto back = parse_metrics_line(to_json(e));
    ASSERT_TRUE(back);
    ASSERT_EQ(std::bit_cast<uint64_t>(std::get<StepEvent>(*back).loss),
              std::bit_cast<uint64_t>(e.loss));
  }
  StepEvent e;
  e.loss = 0.1;
  EXPECT_NE(to_json(e).find("\"loss\":0.1,"), std::string::npos) << "shortest digits";
}

TEST(Metrics, NotFiniteIsNullAndNamed) {
  StepEvent e = step_event(7);
  e.loss = NAN;
  e.grad_norm = INFINITY;
  e.mfu = -INFINITY;
  std::string line = to_json(e);
  Json json = Json::parse(line);  // a strict parser
  EXPECT_TRUE(json["loss"].is_null());
  EXPECT_TRUE(json["grad_norm"].is_null());
  EXPECT_EQ(json["not_finite"].dump(), R"({"loss":"nan","grad_norm":"inf","mfu":"-inf"})");
  auto back = std::get<StepEvent>(*parse_metrics_line(line));
  EXPECT_TRUE(std::isnan(back.loss));
  EXPECT_EQ(back.grad_norm, INFINITY);
  EXPECT_EQ(back.mfu, -INFINITY);
  EXPECT_EQ(back.lr, e.lr);

  e = step_event(7);
  e.mfu.reset();
  EXPECT_TRUE(Json::parse(to_json(e))["mfu"].is_null());
  EXPECT_FALSE(Json::parse(to_json(e)).contains("not_finite"));
}

TEST(Metrics, StringsThatAreNotUtf8StayValidJson) {
  std::string line = to_json(AlertEvent{1, "x", "bad \xFF byte"});
  EXPECT_EQ(Json::parse(line)["message"], "bad \uFFFD byte");
}

TEST(Metrics, OtherLinesAreRefused) {
  for (const char* line : {"", "{", "[]", "3", "{}", R"({"event":3})", R"({"event":"party"})",
                           R"({"event":"step","step":1)", R"({"event":"step"}{)"})
    EXPECT_FALSE(parse_metrics_line(line)) << line;
  // Unknown fields and wrong types do no harm.
  auto event = parse_metrics_line(R"({"event":"step","new":[1],"step":3,"loss":"x"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<StepEvent>(*event).step, 3);
}

TEST(Metrics, WriterAppends) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  for (int64_t i = 1; i <= 3; ++i) {
    MetricsWriter writer(path);
    writer.write(step_event(i));
    EXPECT_EQ(writer.lost_lines(), 0);
  }
  EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(read_file(path).back(), '\n');
}

TEST(Metrics, WriterStartsANewLineAfterATornOne) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  std::ofstream(path) << to_json(step_event(1)) << "\n{\"event\":\"st";
  MetricsWriter(path).write(step_event(2));
  EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2}));
}

TEST(Metrics, ManyThreadsWriteWholeLines) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  {
    MetricsWriter writer(path);
    std::vector<std::jthread> threads;
    for (int64_t t = 0; t < 4; ++t)
      threads.emplace_back([&writer, t] {
        for (int64_t i = 0; i < 200; ++i) writer.write(step_event(1 + t * 200 + i));
      });
  }
  auto seen = steps(path);
  std::sort(seen.begin(), seen.end());
  ASSERT_EQ(seen.size(), 800u);
  for (int64_t i = 0; i < 800; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i + 1);
}

TEST(Metrics, AFullDiskWarnsOnceAndNeverThrows) {
  int before = logged_warnings();
  MetricsWriter writer("/dev/full");
  for (int64_t i = 1; i <= 5; ++i) writer.write(step_event(i));
  EXPECT_EQ(writer.lost_lines(), 5);
  EXPECT_EQ(logged_warnings() - before, 1);
}

TEST(Metrics, AFolderThatIsNotThereWarnsOnceAndNeverThrows) {
  TemporaryDirectory dir;
  int before = logged_warnings();
  MetricsWriter writer(dir.path() / "no" / "metrics.jsonl");
  writer.write(step_event(1));
  writer.write(EndEvent{});
  EXPECT_EQ(writer.lost_lines(), 2);
  EXPECT_EQ(logged_warnings() - before, 1);
}

// A file size limit cuts a line in the middle, as a disk that fills up does; later there is room.
TEST(Metrics, WritingGoesOnAfterADiskWasFull) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  MetricsWriter writer(path);
  writer.write(step_event(1));
  rlimit limit = old_limit;
  limit.rlim_cur = std::filesystem::file_size(path) + 50;
  setrlimit(RLIMIT_FSIZE, &limit);
  writer.write(step_event(2));
  writer.write(step_event(3));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  writer.write(step_event(4));
  EXPECT_EQ(writer.lost_lines(), 2);
  EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 4}));
}

TEST(Metrics, AKilledProcessLosesAtMostATornLastLine) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  pid_t child = fork();
  if (child == 0) {
    MetricsWriter writer(path);
    for (int64_t i = 1;; ++i) writer.write(step_event(i));
  }
  std::error_code none;
  while (!std::filesystem::exists(path) || std::filesystem::file_size(path, none) < 100'000)
    std::this_thread::yield();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  auto seen = steps(path);
  ASSERT_GT(seen.size(), 100u);
  for (size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<int64_t>(i + 1));
}

TEST(CutMetrics, RemovesLinesBeyondTheStepAndTornOnes) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  {
    MetricsWriter writer(path);
    writer.write(StartEvent{});
    for (int64_t i = 1; i <= 6; ++i) writer.write(step_event(i));
    writer.write(CheckpointEvent{4, "step-00000004", 1, 0, 0});  // saved in the background
    writer.write(EvalEvent{6, 1, 2, 3, 4});
  }
  std::ofstream(path, std::ios::app) << "{\"event\":\"step\",\"step\":2";
  EXPECT_EQ(cut_metrics(path, 4), 4);
  EXPECT_EQ(steps(path), (std::vector<int64_t>{0, 1, 2, 3, 4, 4}));
  std::string text = read_file(path);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(cut_metrics(path, 4), 0);
  EXPECT_EQ(read_file(path), text);
  MetricsWriter(path).write(step_event(5));
  EXPECT_EQ(steps(path), (std::vector<int64_t>{0, 1, 2, 3, 4, 4, 5}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(CutMetrics, KeepsTheBytesOfTheOtherLines) {
  TemporaryDirectory dir;
  auto path = dir.path() / "metrics.jsonl";
  const std::string kept =
      "{\"event\":\"new one\", \"x\" : 1e3}\n{\"step\":3,\"event\":\"step\"}\n";
  std::ofstream(path) << kept << "{\"step\":4}\n"
                      << "garbage\n"
                      << "\n";
  EXPECT_EQ(cut_metrics(path, 3), 3);
  EXPECT_EQ(read_file(path), kept);
}

TEST(CutMetrics, AMissingOrEmptyFileIsFine) {
  TemporaryDirectory dir;
  EXPECT_EQ(cut_metrics(dir.path() / "metrics.jsonl", 3), 0);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "metrics.jsonl"));
  std::ofstream(dir.path() / "metrics.jsonl") << "";
  EXPECT_EQ(cut_metrics(dir.path() / "metrics.jsonl", 3), 0);
}

}  // namespace
}  // namespace anneal
