#pragma once

#include "anneal/device/cpu/rates.hpp"
#include "anneal/train/engine.hpp"

namespace anneal {

struct GenerationBenchOptions {
  int64_t prompt = 256;  // tokens read at once
  int64_t tokens = 64;   // written one by one after them, at least 2
  int64_t repeats = 5;
};

// One sequence written from a prompt of random tokens, always the likeliest token next. Seconds are
// medians over the repeats.
struct GenerationMeasurement {
  int64_t prompt = 0, tokens = 0, repeats = 0;
  double prompt_seconds = 0;
  double token_seconds = 0;  // of one token after the first: its program and its choice
  double weight_bytes = 0;   // of the weights that a token reads
  double cache_bytes = 0;    // of keys, values and states, in the middle of the text
  double read_bytes = 0;     // a second, of a sum over memory, just before and after a text
  // Bytes a second of a text's tokens as a share of that text's read_bytes: the median share, not a
  // quotient of medians. A model that stays in the caches may pass 1.
  double bandwidth_fraction = 0;

  double prompt_tokens_per_second() const { return static_cast<double>(prompt) / prompt_seconds; }
  double tokens_per_second() const { return 1 / token_seconds; }
  double bytes_per_second() const { return (weight_bytes + cache_bytes) / token_seconds; }
};

// Bytes of the parameters, or of their copies, that a program reads in one run: each matrix once,
// of a table the rows that are taken.
double weight_bytes_read(const Module& module, const Program& program);

// Bytes of caches that a token reads with `length` tokens before it: of keys and values what it
// sees, its own included, of states all.
double cache_bytes_read(const Module& module, const Program& program, int64_t length);

// `engine` has the generation programs. Throws UsageError where the context has no room for prompt
// and tokens.
GenerationMeasurement measure_generation(Engine& engine, const GenerationBenchOptions& options);

}  // namespace anneal
