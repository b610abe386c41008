#include <filesystem>
#include <memory>
#include <optional>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/checkpoint/gguf_convert.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/data/tokenizer.hpp"
#include "anneal/train/loaded_model.hpp"

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
  std::string format = "gguf", type;
  bool merge = false;
};

// Writes the model with its weights in FP32, adapters merged into them, as a new directory.
void export_directory(const std::string& model, fs::path out) {
  if (!out.has_filename()) out = out.parent_path();  // "out/"
  std::error_code error;
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out, error)))
    throw UsageError(str("[--out] ", out.string(), " is there already (name a new folder)"));
  // Only the weights are wanted: compiled for a token.
  auto loaded = load_model(open_model_directory(model), {.evaluate = true, .sequence = 1});
  const ModelDirectory& directory = loaded->directory;
  Session& session = loaded->engine->session();
  if (directory.adapter) merge_adapters(session, directory.config, directory.adapter->lora);
  // Complete or not there at all; removed again if something fails.
  TemporaryDirectory temporary(out.has_parent_path() ? out.parent_path() : fs::path("."));
  write_safetensors(temporary.path() / "model.safetensors",
                    model_tensors(session, directory.config));
  for (const auto& [name, text] :
       model_directory_files(directory.config, directory.tokenizer.get(), &directory))
    write_file_atomically(temporary.path() / name, text);
  fs::permissions(temporary.path(), fs::perms::owner_all | fs::perms::group_read |
                                        fs::perms::group_exec | fs::perms::others_read |
                                        fs::perms::others_exec);
  sync_path(temporary.path());
  fs::rename(temporary.path(), out, error);
  if (error) throw Error(str("[", out.string(), "] cannot write: ", error.message()));
}

ExitCode run_export(const ExportArguments& a) {
  bool gguf = a.format == "gguf";
  if (!gguf && a.format != "hf")
    throw UsageError(str("[--format] expected gguf or hf, got ", a.format));
  bool adapters = holds_adapters(resolve_model_directory(a.model));
  if (adapters && !a.merge)
    throw UsageError(str("[--model] ", a.model,
                         " holds adapters of a model (add --merge to write the model with the "
                         "adapters in its weights)"));
  if (!gguf) {
    if (!a.type.empty())
      throw UsageError("[--type] is for gguf: a Hugging Face directory gets weights in f32");
    export_directory(a.model, a.out);
    log_info(str("wrote ", a.out));
    return ExitCode::ok;
  }
  const GgufTypeInfo* type = find_gguf_type(a.type.empty() ? "f16" : a.type);
  bool known = type && (type->type == GgufType::f32 || type->type == GgufType::f16 ||
                        type->type == GgufType::bf16 || type->type == GgufType::q8_0);
  if (!known) throw UsageError(str("[--type] expected f32, f16, bf16 or q8_0, got ", a.type));
  std::optional<TemporaryDirectory> merged;
  std::string model = a.model;
  if (adapters) {
    model = (merged.emplace().path() / "model").string();
    export_directory(a.model, model);
  }
  log_report(a.out, export_gguf(model, a.out, type->type));
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
          .summary = "Write a model as a GGUF file, for llama.cpp, or a Hugging Face directory",
          .example = "model export --model runs/demo --out demo.gguf --type q8_0",
          .setup = [](Arguments& a) {
            auto e = std::make_shared<ExportArguments>();
            a.option("--model", "DIR", e->model, "A model directory, a checkpoint or a run folder",
                     true);
            a.option("--out", "PATH", e->out, "The file or directory to write", true);
            a.option("--format", "NAME", e->format, "gguf, or hf for a Hugging Face directory");
            a.option("--type", "TYPE", e->type,
                     "Of matrices in a GGUF file: f32, f16, bf16 or q8_0; f16 unless given");
            a.flag("--merge", e->merge, "Write the adapters of the model into its weights");
            return [e] { return run_export(*e); };
          }};
}

}  // namespace anneal
