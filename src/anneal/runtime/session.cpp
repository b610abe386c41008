#include <algorithm>
#include <cstring>

#include "anneal/base/rng.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/random_normal_kernel.hpp"
#include "anneal/runtime/executable.hpp"

namespace anneal {
namespace {

// Elements [first, first + n) of a parameter whose random stream is `key`; `first` is even.
void draw(const Init& init, uint64_t key, int64_t first, int64_t n, float* to) {
  if (init.kind == Init::Kind::normal) {
    pick(portable::random_normal, avx2::random_normal, avx512::random_normal)(key, first, n,
                                                                              init.scale, to);
  } else if (init.kind == Init::Kind::uniform) {
    for (int64_t i = 0; i < n; ++i) {
      auto words = philox(key, static_cast<uint64_t>(first + i) / 2, 0);
      double x = uniform_float(words[static_cast<size_t>(i % 2)]);
      to[i] = static_cast<float>((2 * x - 1) * init.scale);
    }
  } else {
    std::fill_n(to, n, 1.0f);
  }
}

template <class T>
void store(const TensorRef& tensor, int64_t first, int64_t n, const float* values) {
  std::transform(values, values + n, tensor.as<T>().data() + first, [](float x) { return T(x); });
}

void fill(const Persistent& p, const TensorRef& tensor, uint64_t seed) {
  if (p.init.kind == Init::Kind::zeros) {
    parallel_ranges(tensor.type.bytes(), 1 << 20, [&](int64_t begin, int64_t end) {
      std::memset(tensor.data + begin, 0, static_cast<size_t>(end - begin));
    });
    return;
  }
  uint64_t key = hash64(p.name, seed);
  constexpr int64_t grain = 1 << 12;
  parallel_ranges(tensor.type.shape.elements(), grain, [&](int64_t begin, int64_t end) {
    float values[grain];
    draw(p.init, key, begin, end - begin, values);
    if (tensor.type.dtype == DType::bf16)
      store<bf16>(tensor, begin, end - begin, values);
    else if (tensor.type.dtype == DType::f16)
      store<f16>(tensor, begin, end - begin, values);
    else
      store<float>(tensor, begin, end - begin, values);
  });
}

}  // namespace

Session::Session(Module module, Plan plan, CpuTarget& target)
    : module_(std::move(module)),
      plan_(std::move(plan)),
      arena_(plan_.arena_bytes, Arena::Pages::in_background) {
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
