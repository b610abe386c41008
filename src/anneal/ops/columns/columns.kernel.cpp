#include "anneal/device/cpu/simd.hpp"
#include "anneal/ops/columns/kernel.hpp"

namespace anneal::ANNEAL_ISA {
namespace {

template <class F>
[[gnu::always_inline]] inline void with_rows(const ColumnRows& rows, F&& f) {
  visit_stored(rows.dtype, [&]<class T>(Tag<T>) { f(static_cast<T*>(rows.data)); });
}

template <class X, class Out>
[[gnu::always_inline]] inline void copy(const X* x, Out* out, int64_t n) {
  for_vectors(n, [&](int64_t c, auto lanes) { store(out + c, load(x + c, lanes), lanes); });
}

void take(const ColumnRows& x, int64_t first, const ColumnRows& out, int64_t begin, int64_t end) {
  with_rows(x, [&](const auto* from) {
    with_rows(out, [&](auto* to) {
      for (int64_t row = begin; row < end; ++row)
        copy(from + row * x.columns + first, to + row * out.columns, out.columns);
    });
  });
}

void add(const ColumnRows& y, const ColumnRows& delta, int64_t first, const ColumnRows& out,
         int64_t begin, int64_t end) {
  int64_t last = first + delta.columns;
  with_rows(y, [&](const auto* from) {
    with_rows(delta, [&](const auto* d) {
      with_rows(out, [&](auto* to) {
        for (int64_t row = begin; row < end; ++row) {
          auto* in_row = from + row * y.columns;
          auto* out_row = to + row * y.columns;
          if (out.data != y.data) {
            copy(in_row, out_row, first);
            copy(in_row + last, out_row + last, y.columns - last);
          }
          for_vectors(delta.columns, [&](int64_t c, auto lanes) {
            vf sum = load(in_row + first + c, lanes) + load(d + row * delta.columns + c, lanes);
            store(out_row + first + c, sum, lanes);
          });
        }
      });
    });
  });
}

}  // namespace

const ColumnsKernels columns_kernels = {take, add};

}  // namespace anneal::ANNEAL_ISA
