#pragma once

#include <functional>
#include <string>
#include <vector>

#include "anneal/monitor/run_record.hpp"

namespace anneal {

// A run by rule, for tests of reports: change what the test is about, then make the record.
struct MadeRun {
  std::string name = "a";
  int64_t steps = 200;
  int64_t tokens_per_step = 1000;
  double step_seconds = 0.01;
  double data_wait_seconds = 1e-5;
  // By the step from 1, and of the time and losses that the members above and below give.
  std::function<double(int64_t)> loss = [](int64_t step) {
    return 2 + 3.0 / static_cast<double>(step);
  };
  std::function<double(int64_t)> slowdown = [](int64_t step) {
    return 1 + 0.01 * double(step % 3);
  };
  std::function<double(int64_t)> validation = [](int64_t step) {
    return 2.1 + 3.0 / static_cast<double>(step);
  };
  std::function<double(int64_t)> lr = [](int64_t step) { return 1e-3 / double(step); };
  double grad_norm = 0.5;
  double mfu = 0.6;
  int64_t eval_every = 10;  // 0: none
  int64_t planned_bytes = 100 << 20, baseline_bytes = 10 << 20;
  int64_t peak_anon_bytes = (110 << 20) + 1000;
  std::string status = "done";  // "": no end
  std::string host = "here";
  std::vector<RunSetting> settings = {{"name", "\"a\""},
                                      {"data.train", "[\"x\"]"},
                                      {"data.validation", "0.1"},
                                      {"data.tokenizer", "\"bpe:512\""},
                                      {"train.steps", "200"},
                                      {"train.seed", "1"},
                                      {"train.precision", "\"fp32\""}};

  std::vector<MetricsEvent> events() const;
  RunRecord record() const;
  MadeRun& set(const std::string& key, const std::string& value);
};

}  // namespace anneal
