// dump_logits MODEL < TOKENS > LOGITS
//
// Feeds token ids (text, one after the other) to a model as generation does, one at a time, and
// writes the logits after each as float32: what check_transformers.py compares.

#include <cstdio>
#include <iostream>

#include "anneal/train/generator.hpp"
#include "anneal/train/loaded_model.hpp"

int main(int argc, char** argv) {
  using namespace anneal;
  if (argc != 2) return std::fprintf(stderr, "usage: dump_logits MODEL < TOKENS > LOGITS\n"), 2;
  try {
    auto model = load_model(open_model_directory(argv[1]), {.generate = true});
    Generator generator(model->engine->session(), model->directory.config);
    for (int32_t token; std::cin >> token;) {
      auto logits = generator.read({&token, 1});
      if (std::fwrite(logits.data(), sizeof(float), logits.size(), stdout) != logits.size())
        throw Error("cannot write");
    }
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "error: %s\n", error.what()), 1;
  }
}
