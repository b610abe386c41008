#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/model_summary.hpp"
#include "anneal/cli/command.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

struct InspectArguments {
  std::string path;
  bool json = false;
};

// Text out of a file, fit for a terminal.
std::string printable(std::string text, size_t longest) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text.size() > longest ? text.substr(0, longest) + "…" : text;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += str(i ? "," : "", shape[i]);
  return text + "]";
}

std::map<std::string, int64_t> tensors_of_each_dtype(const ModelSummary& summary) {
  std::map<std::string, int64_t> counts;
  for (const auto& tensor : summary.tensors) ++counts[tensor.dtype];
  return counts;
}

Json sizes_json(const ModelConfig& c) {
  return {{"family", c.family},         {"layers", c.layers},
          {"heads", c.heads},           {"kv_heads", c.kv_heads},
          {"head_width", c.head_dim()}, {"width", c.width},
          {"hidden", c.hidden},         {"context", c.context},
          {"vocab_size", c.vocab_size}, {"tie_embeddings", c.tie_embeddings}};
}

void print_json(const ModelSummary& summary) {
  Json json = {{"format", summary.format},
               {"adapters", summary.adapters},
               {"architecture", summary.architecture},
               {"supported", summary.unsupported.empty()},
               {"unsupported", summary.unsupported},
               {"config", summary.config ? sizes_json(*summary.config) : Json(nullptr)},
               {"parameters", summary.parameters()},
               {"bytes", summary.bytes()},
               {"dtypes", tensors_of_each_dtype(summary)},
               {"tokenizer", summary.tokenizer},
               {"chat_template", summary.chat_template}};
  auto& tensors = json["tensors"] = Json::array();
  for (const auto& t : summary.tensors)
    tensors.push_back(
        {{"name", t.name}, {"dtype", t.dtype}, {"shape", t.shape}, {"bytes", t.bytes}});
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

ExitCode run(const InspectArguments& a) {
  auto summary = summarise_model(a.path);
  if (a.json) {
    print_json(summary);
    return ExitCode::ok;
  }
  auto line = [](const char* what, const std::string& text) {
    if (!text.empty()) std::printf("%-14s %s\n", what, text.c_str());
  };
  line("format", summary.format);
  line("adapters", printable(summary.adapters, 400));
  line("architecture", printable(summary.architecture, 80));
  if (const auto& c = summary.config)
    line("sizes",
         str(c->layers, " layers, width ", c->width, ", ", c->heads, " heads of ", c->head_dim(),
             ", ", c->kv_heads, " of keys and values, hidden ", c->hidden, ", context ", c->context,
             ", vocabulary ", c->vocab_size, c->tie_embeddings ? ", tied head" : ""));
  line("unsupported", printable(summary.unsupported, 400));
  line("parameters", str(summary.parameters(), " in ", summary.tensors.size(), " tensors, ",
                         summary.bytes(), " bytes"));
  std::string dtypes;
  for (const auto& [dtype, count] : tensors_of_each_dtype(summary))
    dtypes += str(dtypes.empty() ? "" : ", ", printable(dtype, 20), " (", count, ")");
  line("dtypes", dtypes);
  line("tokenizer", summary.tokenizer.empty() ? "none" : printable(summary.tokenizer, 120));
  line("chat template",
       summary.chat_template.empty() ? "none" : printable(summary.chat_template, 120));
  std::printf("\n");
  for (const auto& t : summary.tensors)
    std::printf("%-48s %-6s %s\n", printable(t.name, 200).c_str(), printable(t.dtype, 20).c_str(),
                shape_text(t.shape).c_str());
  return ExitCode::ok;
}

}  // namespace

Command model_inspect_command() {
  return {.name = "model inspect",
          .summary = "Show what a model directory, safetensors or GGUF file holds",
          .example = "model inspect SmolLM2-135M-Instruct.Q4_1.gguf",
          .setup = [](Arguments& a) {
            auto i = std::make_shared<InspectArguments>();
            a.positional("PATH", i->path,
                         "A model directory, a run folder, a safetensors or GGUF file");
            a.flag("--json", i->json, "Print JSON");
            return [i] { return run(*i); };
          }};
}

}  // namespace anneal
