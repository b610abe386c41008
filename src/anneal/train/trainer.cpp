#include "anneal/train/trainer.hpp"

#include <unistd.h>
#include <chrono>
#include <cmath>

#include "anneal/base/log.hpp"
#include "anneal/data/prepare.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/rates.hpp"
#include "anneal/monitor/metrics.hpp"
#include "anneal/monitor/process_stats.hpp"
#include "anneal/monitor/progress.hpp"
#include "anneal/train/bytes.hpp"
#include "anneal/train/engine.hpp"
#include "anneal/train/generator.hpp"
#include "anneal/train/memory_plan.hpp"
#include "anneal/train/model_files.hpp"
#include "anneal/train/run_folder.hpp"
#include "anneal/train/signals.hpp"
#include "anneal/train/sources_check.hpp"
#include "anneal/train/step_cost.hpp"
#include "anneal/train/text_stream.hpp"
#include "anneal/train/workload.hpp"

namespace anneal {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

PreparedData prepare(const RunConfig& config, const RunFolder& folder) {
  PrepareOptions options;
  options.directory = folder.data();
  options.threads = static_cast<int>(config.parallel.threads);
  options.requirements = data_requirements(config);
  std::string stage;
  options.progress = [&stage](const PrepareProgress& p) {
    if (StopSignals::requested()) throw Error("interrupted", ExitCode::interrupted);
    if (p.stage == stage) return;
    stage = p.stage;
    log_info(str(p.stage, " (", p.bytes_total >> 10, " KiB)"));
  };
  return prepare_data(config.data, options);
}

// One run from here to its end.
class Trainer {
 public:
  Trainer(RunConfig config, const TrainerOptions& options)
      : config_(std::move(config)), options_(options), folder_{options.out} {}

  ExitCode run() {
    // What the config alone tells is checked before anything is written.
    check_fits(config_.model);
    std::filesystem::create_directories(folder_.root);
    RunLock lock(folder_);
    auto checkpoint = options_.resume ? folder_.checkpoint_to_resume() : std::nullopt;
    if (checkpoint) check_resume(*checkpoint);
    open_log_file(folder_.log().string());
    if (!config_.model.init.empty()) origin_ = open_model_directory(config_.model.init);
    if (lora()) base_checksum_ = checksum_of_weights(origin_->path);
    data_.emplace(prepare(config_, folder_));
    resolve_from_data(config_, *data_);
    if (origin_) check_same_tokenizer(*origin_, *data_);
    if (checkpoint) {
      check_resume(*checkpoint);
      check_same_sources(checkpoint->dir, state_, *data_, base_checksum_);
    }
    write_file_atomically(folder_.config(), options_.config_text(config_));
    // Before anything is planned, so that it is no part of what the run takes.
    flops_rate_ =
        measure_product_flops(config_.train.precision == "bf16" ? DType::bf16 : DType::f32);
    baseline_ = sampler_.sample();
    compile();
    if (checkpoint)
      resume(*checkpoint);
    else
      start_fresh();
    cut_metrics(folder_.metrics(), state_.step);
    metrics_.emplace(folder_.metrics());
    write_start();
    return loop();
  }

 private:
  static constexpr const char* config_name = "anneal_state/config.toml";
  static constexpr const char* state_name = "anneal_state/run.json";

  // Reads the state of the checkpoint to resume and refuses a config that does not go on with it.
  void check_resume(const CheckpointInfo& checkpoint) {
    CheckpointReader reader(checkpoint.dir);
    options_.check_resume(config_, reader.text(config_name));
    state_ = parse_run_state(reader.text(state_name), (checkpoint.dir / state_name).string());
    if (state_.step > config_.train.steps)
      throw UsageError(str("[train.steps] the checkpoint has ", state_.step,
                           " steps already, more than the ", config_.train.steps, " asked for"));
  }

  void compile() {
    if (config_.train.precision == "bf16" && !cpu_matmul_has_native_bf16())
      log_info(
          "this CPU has no bf16 products: they run in FP32 on bf16 values, which saves memory "
          "but no time");
    EngineOptions options;
    options.evaluate = config_.train.eval_every > 0;
    options.generate = config_.train.sample_every > 0;
    engine_.emplace(config_, options, target_);
    loader_.emplace(data_->train, LoaderOptions{.context = config_.model.context,
                                                .batch = config_.train.batch,
                                                .micro_batch = config_.train.micro_batch,
                                                .shuffle = config_.data.shuffle,
                                                .seed = static_cast<uint64_t>(config_.train.seed),
                                                .prefetch = config_.data.prefetch});
    if (options.evaluate)
      evaluation_.emplace(
          data_->validation, config_.model.context, config_.train.micro_batch,
          config_.train.eval_batches * config_.train.batch / config_.train.micro_batch);
    writer_.emplace(folder_.checkpoints(), config_.checkpoint.keep);
    if (options.generate) {
      generator_.emplace(engine_->session(), config_.model);
      end_ids_.clear();
      if (origin_)
        end_ids_ = origin_->end_ids;
      else if (auto end = data_->tokenizer->end_of_text())
        end_ids_.push_back(*end);
    }
    const Session& session = engine_->session();
    model_flops_ = cost_of_step(session.module(), config_).model_flops;
    planned_bytes_ = planned_bytes(config_, session.module(), session.plan(), target_);
    log_info(str(session.module().parameter_elements(), " parameters, ",
                 lora() ? str(session.module().trainable_elements(), " of them trained, ") : "",
                 format_mib(planned_bytes_), " planned"));
  }

  void start_fresh() {
    engine_->session().initialise(static_cast<uint64_t>(config_.train.seed));
    if (!origin_) return;
    load_model_tensors(engine_->session(), config_.model, ModelWeights(origin_->path));
    log_info("starting from the weights in " + origin_->path.string());
    if (lora() && CheckpointReader(origin_->path).has(config_name))
      log_warning(str("the adapters need ", origin_->path.string(),
                      ", a checkpoint that its run removes when newer ones come (copy the folder, "
                      "and name the copy as model.init)"));
  }

  void resume(const CheckpointInfo& checkpoint) {
    CheckpointReader reader(checkpoint.dir);
    engine_->session().initialise(static_cast<uint64_t>(config_.train.seed));
    if (lora()) {
      load_model_tensors(engine_->session(), config_.model, ModelWeights(origin_->path));
      load_adapter_tensors(engine_->session(), config_.model, config_.lora,
                           SafetensorsFile(reader.dir() / adapter_file_name));
    } else {
      load_model_tensors(engine_->session(), config_.model, ModelWeights(reader.dir()));
    }
    load_state_tensors(engine_->session(), reader.state());
    if (state_.instruction_set != instruction_set())
      log_warning(str("this run began with instruction set ", state_.instruction_set,
                      ", now it is ", instruction_set(),
                      ": from here the bits may differ from an uninterrupted run"));
    else if (!state_.library.empty() && state_.library != cpu_matmul_library())
      log_warning(str("this run began with ", state_.library, ", now it is ", cpu_matmul_library(),
                      ": from here the bits may differ from an uninterrupted run"));
    LossScale* scale = engine_->stepper().loss_scale();
    if (scale && state_.loss_scale) scale->restore(*state_.loss_scale);
    log_info(str("resuming after step ", state_.step, " from ", checkpoint.dir.string()));
    last_saved_ = state_.step;
  }

  static std::string instruction_set() {
    return std::string(name_of(cpu_isa())) + (cpu_matmul_has_native_bf16() ? "+bf16" : "");
  }

  void write_start() {
    StartEvent event;
    event.step = state_.step;
    event.config_hash = options_.config_hash(config_);
    event.host = host_name();
    event.device = "cpu";
    event.instruction_set = instruction_set();
    event.threads = thread_count();
    event.parameters = engine_->session().module().parameter_elements();
    event.planned_bytes = planned_bytes_;
    event.baseline_bytes = baseline_.anon_bytes;
    metrics_->write(event);
  }

  ExitCode loop() {
    start_time_ = Clock::now();
    loader_->seek(state_.step);
    progress_.emplace(ProgressOptions{.total_steps = config_.train.steps,
                                      .log_every = config_.monitor.log_every});
    try {
      if (state_.step == 0 && config_.train.steps == 0) save();
      while (state_.step < config_.train.steps && !StopSignals::requested()) {
        step();
        after_step();
      }
      bool interrupted = StopSignals::requested() && state_.step < config_.train.steps;
      if (last_saved_ != state_.step) save();
      finish_save();
      progress_->finish();
      write_end(interrupted ? "interrupted" : "done");
      if (interrupted)
        log_info(str("interrupted after step ", state_.step, "; continue with --resume"));
      return interrupted ? ExitCode::interrupted : ExitCode::ok;
    } catch (const DivergedError&) {
      abandon("diverged");
      throw;
    } catch (...) {
      abandon("failed");
      throw;
    }
  }

  void abandon(const char* status) {
    progress_->finish();
    write_end(status);
  }

  void step() {
    auto start = Clock::now();
    const Batch& batch = loader_->next();
    double waited = loader_->wait_seconds();
    GradientResult result = engine_->gradients(batch);
    if (result.skipped > 0) report_overflow(result);
    if (!result.finite()) {
      std::string tensor = engine_->stepper().first_nonfinite_gradient();
      LossScale* scale = engine_->stepper().loss_scale();
      diverged(str("step ", state_.step + 1, ": loss ", result.loss, ", gradient norm ",
                   result.grad_norm,
                   tensor.empty() ? "" : "; the first gradient that is not finite is " + tensor,
                   scale ? str("; no loss scale down to ", scale->value(), " helped") : str(""),
                   ". The update was not made"));
    }
    if (state_.step == 0) engine_->stepper().audit_gradients(result.grad_norm);
    LossScale* scale = engine_->stepper().loss_scale();
    if (scale) event_.loss_scale = scale->value();
    double lr = learning_rate(config_, state_.step);
    engine_->stepper().update(state_.step, lr, result.grad_norm);
    ++state_.step;
    state_.tokens += batch.rows * batch.context;

    auto stats = sampler_.sample();
    event_.step = state_.step;
    event_.tokens = state_.tokens;
    event_.loss = result.loss;
    event_.accuracy = result.correct / static_cast<double>(batch.valid_tokens);
    event_.grad_norm = result.grad_norm;
    event_.lr = lr;
    event_.skipped += result.skipped;
    event_.step_seconds = seconds_since(start);
    event_.data_wait_seconds = waited;
    event_.tokens_per_second =
        static_cast<double>(batch.rows * batch.context) / event_.step_seconds;
    if (flops_rate_ > 0) event_.mfu = model_flops_ / event_.step_seconds / flops_rate_;
    event_.cpu_percent = stats.cpu_percent;
    event_.read_bytes = stats.read_bytes;
    event_.rss_bytes = stats.rss_bytes;
    bool logged =
        state_.step % config_.monitor.log_every == 0 || state_.step == config_.train.steps;
    if (logged) {
      metrics_->write(event_);
      event_.skipped = 0;
    }
    progress_->update(event_);
  }

  void after_step() {
    // What evaluation, samples and saving need later must not be missed then.
    engine_->session().wait_for_memory();
    if (saving_ && writer_->finished()) finish_save();
    auto due = [&](int64_t every) {
      return every > 0 && (state_.step % every == 0 || state_.step == config_.train.steps);
    };
    if (evaluation_ && due(config_.train.eval_every)) evaluate();
    if (generator_ && due(config_.train.sample_every)) sample();
    bool save_now = config_.checkpoint.every > 0 && state_.step % config_.checkpoint.every == 0;
    if (save_now) save();
  }

  void report_overflow(const GradientResult& result) {
    std::string what = str("step ", state_.step + 1, ": gradients overflowed in ", result.skipped,
                           result.skipped == 1 ? " attempt" : " attempts", ", the loss scale is ",
                           engine_->stepper().loss_scale()->value(), " now");
    metrics_->write(AlertEvent{state_.step + 1, "overflow", what});
    log_info(what);
  }

  [[noreturn]] void diverged(const std::string& what) {
    metrics_->write(AlertEvent{state_.step, "not_finite", what});
    try {
      finish_save();
    } catch (const Error& error) {
      log_warning(error.what());
    }
    throw DivergedError(
        str(what, "; ",
            last_saved_ < 0 ? str("there is no checkpoint yet")
                            : str("the checkpoint of step ", last_saved_, " is the last one"),
            " (a lower optimizer.lr or a longer schedule.warmup_steps usually helps",
            engine_->stepper().loss_scale() ? "; or a train.loss_scale nearer to 65536" : "", ")"));
  }

  // An update may leave the range of FP32 although its gradient was finite. Such a state must never
  // be saved, since older checkpoints make room for it.
  void require_finite_state() {
    std::string tensor = engine_->stepper().first_nonfinite_state();
    if (!tensor.empty())
      diverged(str("the update of step ", state_.step, " left numbers in ", tensor,
                   " that are not finite"));
  }

  void evaluate() {
    double bytes = 0;
    auto count_bytes = [&](const Batch& batch) {
      if (data_->tokenizer) bytes += static_cast<double>(target_bytes(batch, *data_->tokenizer));
    };
    EvaluationResult result = engine_->evaluate(*evaluation_, count_bytes);
    EvalEvent event{.step = state_.step,
                    .loss = result.loss,
                    .perplexity = result.perplexity(),
                    .accuracy = result.accuracy,
                    .bits_per_byte = std::nullopt};
    if (bytes > 0) event.bits_per_byte = result.total_nll / std::log(2.0) / bytes;
    metrics_->write(event);
    if (!std::isfinite(result.loss)) {
      require_finite_state();
      diverged(str("step ", state_.step, ": validation loss ", result.loss));
    }
    validation_loss_ = {state_.step, result.loss};
    char text[160];
    std::snprintf(text, sizeof text,
                  "step %lld  validation loss %.4f  perplexity %.2f  accuracy %.3f",
                  static_cast<long long>(event.step), event.loss, event.perplexity, event.accuracy);
    std::string line = text;
    if (event.bits_per_byte) {
      std::snprintf(text, sizeof text, "  bits per byte %.4f", *event.bits_per_byte);
      line += text;
    }
    log_info(line);
    sampler_.sample();
  }

  void sample() {
    require_finite_state();
    generator_->reset();
    const Tokenizer& tokenizer = *data_->tokenizer;
    auto prompt = tokenizer.encode(config_.train.sample_prompt);
    if (prompt.empty()) {
      if (end_ids_.empty()) return;
      prompt.push_back(static_cast<int32_t>(end_ids_[0]));
    }
    constexpr int64_t sample_tokens = 64;
    SamplingOptions options{.temperature = 0.8, .top_k = 40};
    options.seed = static_cast<uint64_t>(config_.train.seed);
    Utf8Stream stream;
    std::string text = config_.train.sample_prompt;
    anneal::generate(*generator_, prompt, sample_tokens, options, config_.model.vocab_size,
                     end_ids_, [&](int32_t token) {
                       text += stream.push(tokenizer.token_bytes(token));
                       return true;
                     });
    text += stream.finish();
    log_info(str("step ", state_.step, "  sample: ", text));
    sampler_.sample();
  }

  void save() {
    finish_save();
    require_finite_state();
    CheckpointContent content;
    content.step = state_.step;
    content.state = state_tensors(engine_->session());
    content.files =
        model_directory_files(config_.model, data_->tokenizer.get(), origin_ ? &*origin_ : nullptr);
    if (lora())
      save_adapters(content);
    else
      content.model = model_tensors(engine_->session(), config_.model);
    state_.instruction_set = instruction_set();
    state_.library = cpu_matmul_library();
    state_.data_tokens = data_->train.tokens();
    state_.base_checksum = base_checksum_;
    state_.data_checksum = data_->train.checksum();
    if (LossScale* scale = engine_->stepper().loss_scale()) state_.loss_scale = scale->state();
    content.files.emplace_back(config_name, options_.config_text(config_));
    content.files.emplace_back(state_name, run_state_json(state_));
    // Only a loss of these very weights says how good they are.
    if (validation_loss_.step == state_.step) content.validation_loss = validation_loss_.loss;
    metrics_->sync();
    SaveReport report = writer_->save(content);
    saving_ = CheckpointEvent{
        .step = report.step,
        .path = (folder_.checkpoints() / checkpoint_folder_name(report.step)).string(),
        .bytes = report.bytes,
        .stall_seconds = report.stall_seconds,
        .total_seconds = 0};
    last_saved_ = state_.step;
    sampler_.sample();
  }

  void save_adapters(CheckpointContent& content) {
    content.model_name = adapter_file_name;
    content.model = adapter_tensors(engine_->session(), config_.model, config_.lora);
    AdapterConfig adapter{config_.lora, std::filesystem::absolute(origin_->path).string()};
    if (adapter.lora.targets.empty())
      adapter.lora.targets = adapter_targets(engine_->session().module(), config_.model);
    content.files.emplace_back(adapter_config_name,
                               adapter_config_json(adapter, config_.model.traits().in_out));
  }

  // Waits for the save in flight and reports it.
  void finish_save() {
    if (!saving_) return;
    writer_->wait();
    saving_->total_seconds = writer_->total_seconds();
    metrics_->write(*saving_);
    saving_.reset();
  }

  void write_end(const char* status) {
    auto stats = sampler_.sample();
    metrics_->write(EndEvent{.step = state_.step,
                             .status = status,
                             .peak_anon_bytes = stats.peak_anon_bytes,
                             .peak_rss_bytes = stats.peak_rss_bytes,
                             .wall_seconds = seconds_since(start_time_)});
  }

  bool lora() const { return config_.lora.rank > 0; }

  RunConfig config_;
  const TrainerOptions& options_;
  RunFolder folder_;
  ProcessSampler sampler_;
  ProcessStats baseline_;
  std::optional<PreparedData> data_;
  std::optional<ModelDirectory> origin_;  // what model.init names
  std::string base_checksum_;             // of its weights, where adapters are trained
  CpuTarget target_;
  std::optional<Engine> engine_;
  std::optional<BatchLoader> loader_;
  std::optional<EvaluationReader> evaluation_;
  std::optional<Generator> generator_;
  std::optional<CheckpointWriter> writer_;
  std::optional<MetricsWriter> metrics_;
  std::optional<Progress> progress_;
  std::vector<int64_t> end_ids_;
  int64_t planned_bytes_ = 0;
  double model_flops_ = 0;  // of a step
  double flops_rate_ = 0;   // FLOP/s of matrix products on this machine; 0: not known
  RunState state_;
  StepEvent event_;
  struct {
    int64_t step = -1;
    double loss = 0;
  } validation_loss_;  // the last one
  std::optional<CheckpointEvent> saving_;
  Clock::time_point start_time_ = Clock::now();
  int64_t last_saved_ = -1;
};

}  // namespace

ExitCode run_training(RunConfig config, const TrainerOptions& options) {
  RunFolder{options.out}.check_free(options.resume);
  set_threads(config.parallel.threads);
  StopSignals signals;
  return Trainer(std::move(config), options).run();
}

}  // namespace anneal
