#include "anneal/checkpoint/gguf_convert.hpp"

#include <algorithm>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/checkpoint/folders.hpp"
#include "anneal/checkpoint/gguf.hpp"
#include "anneal/checkpoint/gguf_model.hpp"
#include "anneal/checkpoint/gguf_tokenizer.hpp"
#include "anneal/checkpoint/manifest.hpp"
#include "anneal/checkpoint/model_weights.hpp"
#include "anneal/checkpoint/resume.hpp"
#include "anneal/checkpoint/safetensors_header.hpp"
#include "anneal/model/hf_names.hpp"
#include "anneal/model/transformer.hpp"

namespace anneal {
namespace fs = std::filesystem;
namespace {

constexpr const char* factors_name = "rope_freqs.weight";

// Every tensor of the file must be wanted, and every wanted one be there in its shape.
std::vector<const GgufEntry*> entries_of(const GgufFile& file,
                                         const std::vector<GgufTensor>& tensors) {
  std::vector<const GgufEntry*> entries;
  std::set<std::string_view> known{factors_name};
  for (const auto& tensor : tensors) {
    const GgufEntry* entry = file.find_tensor(tensor.gguf_name);
    if (!entry) throw FormatError(str("[", file.where(), "] has no tensor ", tensor.gguf_name));
    if (entry->shape != tensor.gguf_shape())
      throw FormatError(str("[", file.where(), "] tensor ", tensor.gguf_name, ": expected shape ",
                            tensor.gguf_shape(), ", got ", entry->shape));
    if (!gguf_type_info(entry->type)->readable) {
      float unused;
      file.read_as_f32(*entry, &unused);  // says so
    }
    known.insert(tensor.gguf_name);
    entries.push_back(entry);
  }
  for (const auto& entry : file.entries())
    if (!known.contains(entry.name))
      throw UsageError(str("[", file.where(), "] has a tensor ", quoted_name(entry.name),
                           " that Anneal's model does not have"));
  return entries;
}

int64_t write_weights(const GgufFile& file, const std::vector<GgufTensor>& tensors,
                      const fs::path& path, DType dtype) {
  auto entries = entries_of(file, tensors);
  std::vector<TensorView> views;
  for (const auto& tensor : tensors) views.push_back({tensor.hf_name, dtype, tensor.hf_shape});
  std::vector<float> gguf, hf;
  std::vector<std::byte> bytes;
  FileWriter out(path);
  int64_t written = write_safetensors(out, views, [&](size_t i) {
    auto n = static_cast<size_t>(views[i].shape.elements());
    gguf.resize(n);
    hf.resize(n);
    file.read_as_f32(*entries[i], gguf.data());
    to_hf_layout(tensors[i], gguf, hf);
    if (dtype == DType::f32) return reinterpret_cast<const std::byte*>(hf.data());
    bytes.resize(2 * n);
    quantise(dtype == DType::f16 ? GgufType::f16 : GgufType::bf16, hf, bytes.data());
    return static_cast<const std::byte*>(bytes.data());
  });
  out.sync();
  return written;
}

std::string text_or_nothing(const CheckpointReader& reader, std::string_view name) {
  return reader.has(name) ? reader.text(name) : "";
}

uint32_t file_type_number(GgufType type) {
  switch (type) {
    case GgufType::f32:
      return 0;
    case GgufType::f16:
      return 1;
    case GgufType::q8_0:
      return 7;
    case GgufType::bf16:
      return 32;
    default:
      ANNEAL_ASSERT(false, "nothing is exported as type ", static_cast<uint32_t>(type));
  }
}

}  // namespace

GgufReport import_gguf(const fs::path& path, const fs::path& directory, DType dtype) {
  ANNEAL_ASSERT(is_f32_or_low(dtype));
  GgufFile file(path);
  ModelConfig config = model_config_from_gguf(file);
  auto tensors = gguf_tensors(config);
  entries_of(file, tensors);  // before anything is written
  auto tokenizer = tokenizer_from_gguf(file, config.vocab_size);

  if (fs::exists(directory) && !fs::is_directory(directory))
    throw UsageError(str("[", directory.string(), "] is not a folder"));
  make_folder(directory);
  GgufReport report;
  report.tensors = static_cast<int64_t>(tensors.size());
  report.warnings = std::move(tokenizer.warnings);
  report.bytes = write_weights(file, tensors, directory / model_file_name, dtype);
  write_file_atomically(directory / "config.json", hf_config_json(config, tokenizer.ids));
  write_file_atomically(directory / "generation_config.json",
                        generation_config_json(tokenizer.ids));
  if (!tokenizer.tokenizer_json.empty()) {
    write_file_atomically(directory / "tokenizer.json", tokenizer.tokenizer_json);
    write_file_atomically(directory / "tokenizer_config.json", tokenizer.tokenizer_config_json);
  }
  return report;
}

GgufReport export_gguf(const fs::path& path, const fs::path& file, GgufType type) {
  CheckpointReader reader(resolve_model_directory(path));
  auto where = (reader.dir() / "config.json").string();
  auto config_text = reader.text("config.json");
  ModelConfig config = model_config_from_hf(config_text, where);
  if (config.window > 0)
    throw UsageError(str("[", where, "] sliding_window = ", config.window,
                         ": llama.cpp has no windows in this architecture, so the file would be "
                         "another model (export it as a Hugging Face directory)"));
  auto tensors = gguf_tensors(config);
  ModelWeights weights(reader.dir());
  std::vector<HfTensor> wanted;
  for (const auto& t : tensors) wanted.push_back({t.hf_name, 0, 0, t.hf_shape});
  weights.expect(wanted, config);

  GgufWriter out;
  GgufReport report;
  add_model_metadata(config, out);
  out.add("general.name", fs::absolute(path).filename().string());
  out.add("general.file_type", file_type_number(type));
  out.add("general.quantization_version", uint32_t{2});
  HfTokenIds ids = token_ids_from_hf(config_text, where);
  if (auto text = text_or_nothing(reader, "generation_config.json"); !text.empty())
    if (auto generation = token_ids_from_hf(text, "generation_config.json");
        !generation.eos.empty())
      ids.eos = generation.eos;
  auto tokenizer = text_or_nothing(reader, "tokenizer.json");
  std::string missing = "there is no tokenizer.json";
  if (!tokenizer.empty())
    missing = add_tokenizer_metadata(tokenizer, text_or_nothing(reader, "tokenizer_config.json"),
                                     ids, config.vocab_size, out);
  if (!missing.empty()) report.warnings.push_back(str("the file has no tokenizer: ", missing));

  if (config.rope_scaling.factor != 1)
    out.add_tensor(
        factors_name, {config.rotated() / 2}, GgufType::f32,
        [&](std::span<float> values) { std::ranges::copy(rope_factors(config), values.begin()); });
  std::vector<float> hf;
  for (const auto& t : tensors) {
    GgufType of_tensor = t.is_vector() ? GgufType::f32 : type;
    if (t.gguf_shape()[-1] % gguf_type_info(of_tensor)->block != 0) of_tensor = GgufType::f16;
    out.add_tensor(t.gguf_name, t.gguf_shape(), of_tensor, [&](std::span<float> values) {
      hf.resize(values.size());
      weights.read_as_f32(t.hf_name, hf.data());
      to_gguf_layout(t, hf, values);
    });
  }
  out.write(file);
  report.tensors = static_cast<int64_t>(tensors.size());
  report.bytes = static_cast<int64_t>(fs::file_size(file));
  return report;
}

}  // namespace anneal
