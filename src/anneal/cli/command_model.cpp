#include <filesystem>
#include <memory>

#include "anneal/base/log.hpp"
#include "anneal/checkpoint/gguf_convert.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/data/tokenizer.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

void log_report(const std::string& out, const GgufReport& report) {
  for (const auto& warning : report.warnings) log_warning(warning);
  log_info(str("wrote ", out, ": ", report.tensors, " tensors, ", report.bytes / 1000000, " MB"));
}

// Says so where the tokenizer that was written is one that this program itself cannot apply.
void check_tokenizer(const fs::path& directory) {
  if (!fs::exists(directory / "tokenizer.json")) return;
  try {
    Tokenizer::load(directory);
  } catch (const Error& e) {
    log_warning(str("the tokenizer is written but not understood here: ", e.what()));
  }
}

struct ImportArguments {
  std::string file, out;
  std::string dtype = "f32";
};

ExitCode import(const ImportArguments& a) {
  DType dtype = DType::f32;
  bool known = false;
  for (DType type : all_dtypes)
    if (is_f32_or_low(type) && name_of(type) == a.dtype) {
      dtype = type;
      known = true;
    }
  if (!known) throw UsageError(str("[--dtype] expected f32, bf16 or f16, got ", a.dtype));
  log_report(a.out, import_gguf(a.file, a.out, dtype));
  check_tokenizer(a.out);
  return ExitCode::ok;
}

struct ExportArguments {
  std::string model, out;
  std::string format = "gguf", type = "f16";
};

ExitCode run_export(const ExportArguments& a) {
  if (a.format != "gguf") throw UsageError(str("[--format] expected gguf, got ", a.format));
  const GgufTypeInfo* type = find_gguf_type(a.type);
  bool known = type && (type->type == GgufType::f32 || type->type == GgufType::f16 ||
                        type->type == GgufType::bf16 || type->type == GgufType::q8_0);
  if (!known) throw UsageError(str("[--type] expected f32, f16, bf16 or q8_0, got ", a.type));
  log_report(a.out, export_gguf(a.model, a.out, type->type));
  return ExitCode::ok;
}

}  // namespace

Command model_import_command() {
  return {.name = "model import",
          .summary = "Turn a GGUF file into a Hugging Face model directory",
          .example = "model import SmolLM2-135M-Instruct.Q4_1.gguf --out smollm2",
          .setup = [](Arguments& a) {
            auto i = std::make_shared<ImportArguments>();
            a.positional("FILE", i->file, "A GGUF file");
            a.option("--out", "DIR", i->out, "The directory to write", true);
            a.option("--dtype", "TYPE", i->dtype, "Of the weights: f32, bf16 or f16");
            return [i] { return import(*i); };
          }};
}

Command model_export_command() {
  return {.name = "model export",
          .summary = "Write a model as a GGUF file, for llama.cpp",
          .example = "model export --model runs/demo --out demo.gguf --type q8_0",
          .setup = [](Arguments& a) {
            auto e = std::make_shared<ExportArguments>();
            a.option("--model", "DIR", e->model, "A model directory, a checkpoint or a run folder",
                     true);
            a.option("--out", "FILE", e->out, "The file to write", true);
            a.option("--format", "NAME", e->format, "gguf");
            a.option("--type", "TYPE", e->type, "Of matrices: f32, f16, bf16 or q8_0");
            return [e] { return run_export(*e); };
          }};
}

}  // namespace anneal
