#include "anneal/checkpoint/gguf_writer.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"

namespace anneal {
namespace {

constexpr uint64_t alignment = 32;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

uint64_t aligned(uint64_t position) { return (position + alignment - 1) / alignment * alignment; }

template <class T>
void put_list(std::string& out, GgufValueType type, std::span<const T> values) {
  put(out, type);
  put(out, static_cast<uint64_t>(values.size()));
  for (const T& value : values) put(out, value);
}

}  // namespace

void GgufWriter::key(std::string_view key, GgufValueType type) {
  ++keys_;
  put_text(metadata_, key);
  put(metadata_, type);
}

void GgufWriter::add(std::string_view name, std::string_view value) {
  key(name, GgufValueType::text);
  put_text(metadata_, value);
}
void GgufWriter::add(std::string_view name, uint32_t value) {
  key(name, GgufValueType::u32);
  put(metadata_, value);
}
void GgufWriter::add(std::string_view name, float value) {
  key(name, GgufValueType::f32);
  put(metadata_, value);
}
void GgufWriter::add(std::string_view name, bool value) {
  key(name, GgufValueType::boolean);
  put(metadata_, static_cast<uint8_t>(value));
}
void GgufWriter::add(std::string_view name, std::span<const std::string> values) {
  key(name, GgufValueType::array);
  put(metadata_, GgufValueType::text);
  put(metadata_, static_cast<uint64_t>(values.size()));
  for (const auto& value : values) put_text(metadata_, value);
}
void GgufWriter::add(std::string_view name, std::span<const int32_t> values) {
  key(name, GgufValueType::array);
  put_list(metadata_, GgufValueType::i32, values);
}
void GgufWriter::add(std::string_view name, std::span<const float> values) {
  key(name, GgufValueType::array);
  put_list(metadata_, GgufValueType::f32, values);
}

void GgufWriter::add_tensor(const std::string& name, const Shape& shape, GgufType type,
                            std::function<void(std::span<float>)> values) {
  const GgufTypeInfo* info = gguf_type_info(type);
  ANNEAL_ASSERT(info && shape.rank() > 0 && shape[-1] % info->block == 0, name);
  auto bytes = static_cast<uint64_t>(shape.elements() / info->block * info->block_bytes);
  tensors_.push_back({name, shape, type, std::move(values), bytes});
}

void GgufWriter::write(const std::filesystem::path& path) const {
  std::string head = "GGUF";
  put(head, uint32_t{3});
  put(head, static_cast<uint64_t>(tensors_.size()));
  put(head, keys_);
  head += metadata_;
  uint64_t offset = 0;
  for (const auto& tensor : tensors_) {
    put_text(head, tensor.name);
    put(head, static_cast<uint32_t>(tensor.shape.rank()));
    for (int i = tensor.shape.rank(); i-- > 0;) put(head, static_cast<uint64_t>(tensor.shape[i]));
    put(head, tensor.type);
    put(head, offset);
    offset = aligned(offset + tensor.bytes);
  }
  head.resize(aligned(head.size()));

  FileWriter out(path);
  out.write(head);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (const auto& tensor : tensors_) {
    values.resize(static_cast<size_t>(tensor.shape.elements()));
    tensor.values(values);
    bytes.assign(aligned(tensor.bytes), std::byte{0});
    quantise(tensor.type, values, bytes.data());
    out.write(bytes.data(), bytes.size());
  }
  out.sync();
}

}  // namespace anneal
