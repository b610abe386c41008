#include "anneal/monitor/testing/made_run.hpp"

#include <cmath>

namespace anneal {

std::vector<MetricsEvent> MadeRun::events() const {
  std::vector<MetricsEvent> events;
  events.push_back(StartEvent{.host = host,
                              .device = "cpu",
                              .instruction_set = "avx2",
                              .threads = 2,
                              .parameters = 1000,
                              .planned_bytes = planned_bytes,
                              .baseline_bytes = baseline_bytes});
  double wall = 0;
  for (int64_t step = 1; step <= steps; ++step) {
    const double took = step_seconds * slowdown(step);
    wall += took;
    events.push_back(StepEvent{.step = step,
                               .tokens = step * tokens_per_step,
                               .loss = loss(step),
                               .accuracy = 0.5,
                               .grad_norm = grad_norm,
                               .lr = lr(step),
                               .step_seconds = took,
                               .data_wait_seconds = data_wait_seconds,
                               .tokens_per_second = static_cast<double>(tokens_per_step) / took,
                               .mfu = mfu,
                               .cpu_percent = 190,
                               .rss_bytes = peak_anon_bytes + (5 << 20)});
    if (eval_every > 0 && step % eval_every == 0)
      events.push_back(EvalEvent{.step = step,
                                 .loss = validation(step),
                                 .perplexity = std::exp(validation(step)),
                                 .accuracy = 0.4,
                                 .bits_per_byte = validation(step) / 2});
  }
  events.push_back(CheckpointEvent{steps, "checkpoints/step", 4000, 1e-4, 1e-2});
  if (!status.empty())
    events.push_back(EndEvent{steps, status, peak_anon_bytes, peak_anon_bytes + (5 << 20), wall});
  return events;
}

RunRecord MadeRun::record() const {
  RunSource source{.folder = "runs/" + name, .name = name, .settings = settings};
  return make_run_record(std::move(source), events());
}

MadeRun& MadeRun::set(const std::string& key, const std::string& value) {
  for (auto& setting : settings)
    if (setting.first == key) {
      setting.second = value;
      return *this;
    }
  settings.emplace_back(key, value);
  return *this;
}

}  // namespace anneal
