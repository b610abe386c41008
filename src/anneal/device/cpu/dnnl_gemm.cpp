#include "anneal/device/cpu/dnnl_gemm.hpp"

#include <dnnl.hpp>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

dnnl::memory::data_type data_type(DType dtype) {
  ANNEAL_ASSERT(dtype != DType::f16, "the library has no f16 products");
  return dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// A stream per thread: primitives also run from inside our own parallel regions.
dnnl::stream& cpu_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

dnnl::memory::desc matrix(int64_t rows, int64_t columns, bool transposed, int64_t leading,
                          DType dtype) {
  dnnl::memory::dims strides =
      transposed ? dnnl::memory::dims{1, leading} : dnnl::memory::dims{leading, 1};
  return {{rows, columns}, data_type(dtype), strides};
}

struct Descriptors {
  dnnl::memory::desc a, b, bias, c;
};

Descriptors describe(const MatmulSpec& s, const DnnlGemm::Leading& leading) {
  Descriptors d;
  d.a = matrix(s.m, s.k, s.trans_a, leading.a, s.a);
  d.b = matrix(s.k, s.n, s.trans_b, leading.b, s.b);
  d.c = matrix(s.m, s.n, false, leading.c, s.c);
  if (s.bias) d.bias = {{1, s.n}, dnnl::memory::data_type::f32, dnnl::memory::dims{s.n, 1}};
  return d;
}

dnnl::matmul::primitive_desc primitive_desc(const MatmulSpec& s, const Descriptors& d) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (s.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attr.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  if (s.bias) return {cpu_engine(), d.a, d.b, d.bias, d.c, attr};
  return {cpu_engine(), d.a, d.b, d.c, attr};
#else
  if (s.bias) return {{d.a, d.b, d.bias, d.c}, attr, cpu_engine()};
  return {{d.a, d.b, d.c}, attr, cpu_engine()};
#endif
}

}  // namespace

void cpu_matmul_prepare_threads() {
#pragma omp parallel
  try {
    cpu_stream();
  } catch (const dnnl::error&) {
    // The thread's first product tries again and reports it.
  }
}

std::string cpu_matmul_library() {
  const dnnl_version_t* version = dnnl_version();
  return str("oneDNN ", version->major, '.', version->minor, '.', version->patch, " isa ",
             static_cast<int>(dnnl::get_effective_cpu_isa()));
}

struct DnnlGemm::Impl {
  dnnl::matmul primitive;
  dnnl::memory a, b, bias, c, scratchpad;
  int64_t scratchpad_bytes = 0;
  dnnl_exec_arg_t arguments[5];
  int argument_count = 0;
};

DnnlGemm::DnnlGemm(const MatmulSpec& spec, const Leading& leading)
    : impl_(std::make_unique<Impl>()) {
  try {
    Descriptors d = describe(spec, leading);
    auto pd = primitive_desc(spec, d);
    Impl& i = *impl_;
    i.primitive = dnnl::matmul(pd);
    auto bind = [&](int name, dnnl::memory& memory, const dnnl::memory::desc& desc) {
      memory = dnnl::memory(desc, cpu_engine(), nullptr);
      i.arguments[i.argument_count++] = {name, memory.get()};
    };
    bind(DNNL_ARG_SRC, i.a, d.a);
    bind(DNNL_ARG_WEIGHTS, i.b, d.b);
    bind(DNNL_ARG_DST, i.c, d.c);
    if (spec.bias) bind(DNNL_ARG_BIAS, i.bias, d.bias);
    i.scratchpad_bytes = static_cast<int64_t>(pd.scratchpad_desc().get_size());
    if (i.scratchpad_bytes > 0) bind(DNNL_ARG_SCRATCHPAD, i.scratchpad, pd.scratchpad_desc());
  } catch (const dnnl::error& e) {
    throw Error(str("oneDNN has no matrix product of ", name_of(spec.a), " and ", name_of(spec.b),
                    " to ", name_of(spec.c), " on this CPU: ", e.what()));
  }
}

DnnlGemm::~DnnlGemm() = default;
DnnlGemm::DnnlGemm(DnnlGemm&&) noexcept = default;

bool DnnlGemm::supports(const MatmulSpec& s) {
  for (DType dtype : {s.a, s.b, s.c})
    if (dtype == DType::f16) return false;
  try {
    primitive_desc(s, describe(s, {s.trans_a ? s.m : s.k, s.trans_b ? s.k : s.n, s.n}));
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

int64_t DnnlGemm::scratchpad_bytes() const { return impl_->scratchpad_bytes; }

int DnnlGemm::run(const void* a, const void* b, const void* bias, void* c,
                  void* scratchpad) const noexcept {
  Impl& i = *impl_;
  try {
    i.a.set_data_handle(const_cast<void*>(a));
    i.b.set_data_handle(const_cast<void*>(b));
    i.c.set_data_handle(c);
    if (bias) i.bias.set_data_handle(const_cast<void*>(bias));
    if (i.scratchpad_bytes > 0) i.scratchpad.set_data_handle(scratchpad);
    return dnnl_primitive_execute(i.primitive.get(), cpu_stream().get(), i.argument_count,
                                  i.arguments);
  } catch (const dnnl::error& e) {
    return e.status;
  }
}

}  // namespace anneal
