#include <cstring>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/runtime/executable.hpp"

namespace anneal {
namespace {

void set(const TensorRef& tensor, int64_t i, float value) {
  switch (tensor.type.dtype) {
    case DType::bf16:
      tensor.as<bf16>()[static_cast<size_t>(i)] = bf16(value);
      break;
    case DType::f16:
      tensor.as<f16>()[static_cast<size_t>(i)] = f16(value);
      break;
    default:
      tensor.as<float>()[static_cast<size_t>(i)] = value;
  }
}

void fill(const Persistent& p, const TensorRef& tensor, uint64_t seed) {
  if (p.init.kind == Init::Kind::zeros) {
    std::memset(tensor.data, 0, static_cast<size_t>(tensor.type.bytes()));
    return;
  }
  uint64_t key = hash64(p.name, seed);
  double scale = p.init.scale;
  int64_t n = tensor.type.shape.elements();
  parallel_ranges((n + 1) / 2, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      double values[2] = {1, 1};
      auto words = philox(key, static_cast<uint64_t>(pair), 0);
      if (p.init.kind == Init::Kind::normal) {
        auto drawn = normal_pair(words);
        values[0] = drawn[0] * scale;
        values[1] = drawn[1] * scale;
      }
      if (p.init.kind == Init::Kind::uniform)
        for (size_t k = 0; k < 2; ++k)
          values[k] = (2 * static_cast<double>(uniform_float(words[k])) - 1) * scale;
      for (int64_t k = 0; k < 2 && 2 * pair + k < n; ++k)
        set(tensor, 2 * pair + k, static_cast<float>(values[k]));
    }
  });
}

}  // namespace

Session::Session(Module module, Plan plan, CpuTarget& target)
    : module_(std::move(module)), plan_(std::move(plan)), arena_(plan_.arena_bytes) {
  int64_t tag = 0;
  for (const auto& [name, program] : module_.programs) {
    executables_[name] =
        std::make_unique<Executable>(program, plan_.programs.at(name), target, arena_, tag);
    tag += static_cast<int64_t>(program.order.size());
  }
  target.trim();
  cpu_matmul_prepare_threads();
}

Executable& Session::program(const std::string& name) {
  auto it = executables_.find(name);
  ANNEAL_ASSERT(it != executables_.end(), "there is no program ", name);
  return *it->second;
}

TracedNode Session::traced_node(int64_t tag) const {
  for (const auto& [name, program] : module_.programs) {
    auto size = static_cast<int64_t>(program.order.size());
    if (tag < size) return {name, &program, program.order[static_cast<size_t>(tag)]};
    tag -= size;
  }
  ANNEAL_ASSERT(false, "no node has tag ", tag);
}

TensorRef Session::persistent(int32_t index) const {
  return {module_.persistent(index).type,
          arena_.at(plan_.persistent_offset.at(static_cast<size_t>(index)))};
}

TensorRef Session::persistent(std::string_view name) const {
  int32_t index = module_.find(name);
  ANNEAL_ASSERT(index >= 0, "there is no persistent value ", name);
  return persistent(index);
}

void Session::initialise(uint64_t seed) {
  for (size_t i = 0; i < module_.persistents.size(); ++i)
    fill(module_.persistents[i], persistent(static_cast<int32_t>(i)), seed);
  refresh();
}

void Session::refresh() {
  if (has_program("refresh")) program("refresh").run();
}

}  // namespace anneal
