#include "anneal/base/error.hpp"
#include "anneal/train/model_files.hpp"

// Any text is either refused with a FormatError or a state that run.json can hold.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace anneal;
  try {
    RunState state = parse_run_state({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (state.step < 0 || state.tokens < 0) __builtin_trap();
    std::string text = run_state_json(state);
    if (run_state_json(parse_run_state(text, "again")) != text) __builtin_trap();
  } catch (const FormatError&) {
  }
  return 0;
}
