#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "anneal/model/hf_names.hpp"
#include "anneal/runtime/executable.hpp"
#include "golden/golden.hpp"

namespace anneal::golden {

// The formula's values of a tensor, in the order of Hugging Face's file.
inline std::vector<float> file_values(const HfTensor& t) {
  std::vector<float> values(static_cast<size_t>(t.shape.elements()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = parameter(t.name, t.shape.rank() == 1, static_cast<int64_t>(i));
  return values;
}

// Gives every parameter of the model its values.
inline void set_parameters(Session& session, const ModelConfig& config) {
  for (const HfTensor& t : hf_tensors(session.module(), config)) {
    float* ours = session.persistent(t.parameter).as<float>().data() + t.first_element;
    auto values = file_values(t);
    t.interleaving.for_runs(t.shape.elements(), [&](int64_t there, int64_t here, int64_t count) {
      std::copy_n(values.begin() + there, count, ours + here);
    });
  }
  session.refresh();
}

// What the session holds of a tensor of Hugging Face's, in that order: its value, or with a suffix
// such as ".grad" what goes with it.
inline std::vector<float> tensor_values(Session& session, const HfTensor& t,
                                        const std::string& suffix) {
  const std::string& name = session.module().persistent(t.parameter).name;
  const float* ours = session.persistent(name + suffix).as<float>().data() + t.first_element;
  std::vector<float> values(static_cast<size_t>(t.shape.elements()));
  t.interleaving.for_runs(t.shape.elements(), [&](int64_t there, int64_t here, int64_t count) {
    std::copy_n(ours + here, count, values.begin() + there);
  });
  return values;
}

}  // namespace anneal::golden
