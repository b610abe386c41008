#include "anneal/train/generator.hpp"

#include <algorithm>
#include <chrono>

#include "anneal/model/language_model.hpp"

namespace anneal {

Generator::Generator(Session& session, const ModelConfig& config)
    : context_(config.context), vocab_size_(config.vocab_size) {
  for (int64_t chunk : generation_chunks(config))
    programs_.push_back({chunk, &session.program("generate." + std::to_string(chunk))});
  history_.reserve(static_cast<size_t>(context_));
}

void Generator::reset() {
  history_.clear();
  read_ = 0;
}

std::span<const float> Generator::read_chunk(int64_t chunk, const int32_t* tokens) {
  auto it = std::find_if(programs_.begin(), programs_.end(),
                         [&](const ChunkProgram& p) { return p.length == chunk; });
  Executable& program = *it->program;
  auto ids = program.input("tokens").as<int32_t>();
  std::copy_n(tokens, chunk, ids.begin());
  if (program.has_input("positions")) {
    auto positions = program.input("positions").as<int32_t>();
    for (int64_t i = 0; i < chunk; ++i)
      positions[static_cast<size_t>(i)] = static_cast<int32_t>(read_ + i);
  }
  program.input("start").as<int32_t>()[0] = static_cast<int32_t>(read_);
  program.input("row").as<int32_t>()[0] = static_cast<int32_t>(chunk - 1);
  program.run();
  read_ += chunk;
  return program.output("logits").as<float>();
}

std::span<const float> Generator::read(std::span<const int32_t> tokens) {
  if (tokens.empty()) throw Error("there are no tokens to continue: the prompt is empty");
  for (int32_t id : tokens)
    if (id < 0 || id >= vocab_size_)
      throw Error(str("token ", id, " is outside the model's vocabulary of ", vocab_size_));
  history_.insert(history_.end(), tokens.begin(), tokens.end());
  if (length() > context_) {
    int64_t kept = std::max<int64_t>(1, context_ / 2);
    history_.erase(history_.begin(), history_.end() - kept);
    read_ = 0;
  }
  std::span<const float> logits;
  while (read_ < length()) {
    int64_t left = length() - read_;
    auto fits = std::find_if(programs_.begin(), programs_.end(),
                             [&](const ChunkProgram& p) { return p.length <= left; });
    logits = read_chunk(fits->length, history_.data() + read_);
  }
  return logits;
}

GenerationResult generate(Generator& generator, std::span<const int32_t> prompt, int64_t max_tokens,
                          const SamplingOptions& sampling, int64_t vocab_size,
                          std::span<const int64_t> end_ids,
                          const std::function<bool(int32_t)>& on_token) {
  using Clock = std::chrono::steady_clock;
  auto seconds_since = [](Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  };
  GenerationResult result;
  Sampler sampler(sampling, vocab_size);
  std::vector<int32_t> history(prompt.begin(), prompt.end());
  auto start = Clock::now();
  auto logits = generator.read(prompt);
  result.prompt_seconds = seconds_since(start);
  start = Clock::now();
  for (int64_t i = 0; i < max_tokens; ++i) {
    int32_t token = sampler.next(logits, history);
    if (std::find(end_ids.begin(), end_ids.end(), token) != end_ids.end()) {
      result.ended = true;
      break;
    }
    history.push_back(token);
    result.tokens.push_back(token);
    if (!on_token(token) || i + 1 == max_tokens) break;
    logits = generator.read({&token, 1});
  }
  result.generation_seconds = seconds_since(start);
  return result;
}

}  // namespace anneal
