#include "anneal/checkpoint/checkpoint_writer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "anneal/base/background_thread.hpp"
#include "anneal/base/error.hpp"
#include "anneal/base/log.hpp"
#include "anneal/checkpoint/folders.hpp"
#include "anneal/checkpoint/manifest.hpp"
#include "anneal/checkpoint/resume.hpp"

namespace anneal {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t buffer_bytes = 256 << 10;
// Stack and heap of the background thread, as they were measured.
constexpr int64_t thread_bytes = 256 << 10;
// Folders, inodes and the manifest, beside what the files themselves take.
constexpr int64_t bookkeeping_bytes = 1 << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int64_t size_of(const CheckpointContent& content) {
  int64_t bytes = safetensors_size(content.model) + safetensors_size(content.state);
  for (const auto& [name, text] : content.files) bytes += static_cast<int64_t>(text.size());
  return bytes;
}

void check_names(const CheckpointContent& content) {
  std::set<std::string_view> names = {content.model_name, state_file_name, manifest_file_name};
  for (const auto& [name, text] : content.files) {
    ANNEAL_ASSERT(is_name_inside(name), "not a file of a checkpoint: ", name);
    ANNEAL_ASSERT(names.insert(name).second, "two files named ", name);
  }
}

// The error with what it means for the user.
Error not_saved(int64_t step, const std::exception& cause) {
  return Error(str(cause.what(), " (the checkpoint of step ", step,
                   " was not saved; earlier ones are untouched)"));
}

}  // namespace

struct CheckpointWriter::Job {
  fs::path temporary;
  fs::path target;
  Manifest manifest;  // without hashes until the background has them
};

CheckpointWriter::CheckpointWriter(fs::path dir, int64_t keep)
    : dir_(std::move(dir)), keep_(keep), buffer_(buffer_bytes) {
  ANNEAL_ASSERT(keep >= 0);
  clear_leftovers(dir_);
}

CheckpointWriter::~CheckpointWriter() {
  try {
    wait();
  } catch (const std::exception& e) {
    log_error(e.what());
  }
}

int64_t CheckpointWriter::staging_bytes() { return int64_t{buffer_bytes} + thread_bytes; }

void CheckpointWriter::wait() {
  if (thread_.joinable()) thread_.join();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

SaveReport CheckpointWriter::save(const CheckpointContent& content) {
  ANNEAL_ASSERT(content.step >= 0);
  check_names(content);
  auto start = Clock::now();
  wait();
  SaveReport report;
  report.step = content.step;
  report.wait_seconds = seconds_since(start);

  auto name = checkpoint_folder_name(content.step);
  Job job{dir_ / (std::string(temporary_prefix) + name), dir_ / name, {}};
  job.manifest.step = content.step;
  if (content.validation_loss && std::isfinite(*content.validation_loss))
    job.manifest.validation_loss = content.validation_loss;
  try {
    make_folder(dir_);
    require_space(dir_, size_of(content) + bookkeeping_bytes);
    write_files(content, job);
    report.bytes = job.manifest.bytes();
    finished_ = false;
    thread_ = background_thread([this, job, start]() mutable {
      try {
        finish(job);
        total_seconds_ = seconds_since(start);
      } catch (const std::exception& e) {
        error_ = std::make_exception_ptr(not_saved(job.manifest.step, e));
        std::error_code ignored;
        fs::remove_all(job.temporary, ignored);
      }
      finished_ = true;
    });
  } catch (const std::exception& e) {
    finished_ = true;
    std::error_code ignored;
    fs::remove_all(job.temporary, ignored);
    throw not_saved(content.step, e);
  }
  report.stall_seconds = seconds_since(start);
  return report;
}

// Puts all files into the temporary folder, as far as the page cache.
void CheckpointWriter::write_files(const CheckpointContent& content, Job& job) {
  remove_tree(job.temporary);
  auto create = [&](std::string_view name) {
    auto path = job.temporary / name;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) throw Error(str("[", path.string(), "] cannot create: ", error.message()));
    return path;
  };
  auto record = [&](std::string_view name, int64_t bytes) {
    job.manifest.files.push_back({std::string(name), bytes, {}});
  };
  record(content.model_name, write_safetensors(create(content.model_name), content.model));
  record(state_file_name, write_safetensors(create(state_file_name), content.state));
  for (const auto& [name, text] : content.files) {
    FileWriter(create(name)).write(text);
    record(name, static_cast<int64_t>(text.size()));
  }
}

// In the background: makes what write_files wrote durable, complete and visible.
void CheckpointWriter::finish(Job& job) {
  std::set<fs::path> folders;
  for (auto& file : job.manifest.files) {
    auto path = job.temporary / file.name;
    file.hash = hash_file(path, buffer_);
    sync_path(path);
    for (fs::path parent = file.name; !(parent = parent.parent_path()).empty();)
      folders.insert(job.temporary / parent);
  }
  {
    FileWriter out(job.temporary / manifest_file_name);
    out.write(manifest_text(job.manifest));
    out.sync();
  }
  for (const auto& folder : folders) sync_path(folder);
  sync_path(job.temporary);
  commit_folder(job.temporary, job.target);
  try {
    rotate(job.manifest.step);
  } catch (const std::exception& e) {
    log_warning(str("old checkpoints could not be removed: ", e.what()));
  }
}

void CheckpointWriter::rotate(int64_t just_written) {
  if (keep_ == 0) return;
  auto all = list_checkpoints(dir_);
  // Damaged ones are neither counted nor removed: they are evidence, and never the last valid one's
  // reason to go.
  std::erase_if(all, [](const auto& info) { return !info.problem.empty(); });

  std::set<int64_t> kept = {just_written};
  const CheckpointInfo* best = nullptr;
  for (const auto& info : all)
    if (info.validation_loss && (!best || *info.validation_loss <= *best->validation_loss))
      best = &info;
  if (best) kept.insert(best->step);
  for (size_t i = 0; i < all.size(); ++i)
    if (static_cast<int64_t>(all.size() - i) <= keep_) kept.insert(all[i].step);

  for (const auto& info : all)
    if (!kept.contains(info.step)) remove_folder_atomically(info.dir);
}

}  // namespace anneal
