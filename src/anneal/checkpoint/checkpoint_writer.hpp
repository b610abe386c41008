#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "anneal/checkpoint/safetensors.hpp"

namespace anneal {

// Everything that a checkpoint holds. The tensors are only looked at inside save().
struct CheckpointContent {
  int64_t step = 0;
  std::string model_name = "model.safetensors";
  std::vector<TensorView> model;  // the file of that name
  std::vector<TensorView> state;  // anneal_state/state.safetensors
  // Name relative to the checkpoint's folder and text: config.json, anneal_state/run.json, …
  std::vector<std::pair<std::string, std::string>> files;
  std::optional<double> validation_loss;  // not finite: as if there were none
};

struct SaveReport {
  int64_t step = 0;
  int64_t bytes = 0;         // of all files, the manifest aside
  double wait_seconds = 0;   // spent waiting for the save before this one
  double stall_seconds = 0;  // spent in save() in total: how long training stood still
};

// Saves checkpoints as DIR/step-NNNNNNNN, each complete or not there at all, whenever the process
// or the machine dies: everything is written to a hidden folder, synced, sealed with a manifest of
// checksums and renamed.
//
// save() returns once the bytes are in the page cache; the rest happens on a thread in the
// background, which then removes old checkpoints: it keeps the newest `keep` and the best by
// validation loss (keep = 0: all), and never the one just written. One save is in flight at a time.
class CheckpointWriter {
 public:
  // Clears away what a killed run left in `dir`. Nothing is created before the first save.
  CheckpointWriter(std::filesystem::path dir, int64_t keep);
  // Waits for the save in flight; an error of it is logged.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // A checkpoint of the same step is replaced atomically. Throws Error if there is no space or the
  // files cannot be written (earlier checkpoints are untouched), and whatever wait() throws.
  SaveReport save(const CheckpointContent& content);

  // Returns when no save is in flight; throws the Error of the last one if it failed (once).
  void wait();
  // Whether the last save is over, well or not: wait() returns at once.
  bool finished() const { return finished_; }
  // From the start of the last save to its rename; to be asked after wait().
  double total_seconds() const { return total_seconds_; }

  // Memory that saving takes, for the memory plan: the buffer for reading back, the thread.
  static int64_t staging_bytes();

 private:
  struct Job;
  void write_files(const CheckpointContent& content, Job& job);
  void finish(Job& job);
  void rotate(int64_t just_written);

  std::filesystem::path dir_;
  int64_t keep_;
  std::vector<std::byte> buffer_;
  std::thread thread_;
  std::atomic<bool> finished_{true};
  // Of the thread; read after it is joined.
  std::exception_ptr error_;
  double total_seconds_ = 0;
};

// "step-00000100"
std::string checkpoint_folder_name(int64_t step);

}  // namespace anneal
