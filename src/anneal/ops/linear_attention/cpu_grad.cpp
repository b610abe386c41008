#include "anneal/device/cpu/isa.hpp"
#include "anneal/ops/linear_attention/chunk.hpp"
#include "anneal/ops/linear_attention/cpu.hpp"

namespace anneal {
namespace {

constexpr int64_t chunk = LinearAttentionSizes::chunk;

// With g = dout / norm and one more column −g·out beside the column of ones of the values,
//   dw_ts = g_t·v_s,  dx = dw·(1 + x),  dq_t = scale·Σ_s dx·k_s,  dk_s = scale·Σ_t dx·q_t,
//   dv_s = Σ_t w·g_t.
// Sums over earlier and later chunks go through states as in the forward pass: one visit of the
// chunks in order finds dq, with Σ φ(k)·v, then one in reverse order dk and dv, with Σ φ(q)·g.
class HeadGradient {
 public:
  HeadGradient(const LinearAttentionSizes& sizes, float* scratch) : s_(sizes), parts_(scratch) {}

  static int64_t scratch_floats(const LinearAttentionSizes& s) {
    return chunk * (4 * s.queries + 3 * s.values + 2 * chunk) +
           chunk * (s.attrs.feature_dim + s.attrs.head_dim + 1) +
           2 * round_up(s.features_floats(), 16) + round_up(s.state_floats(), 16) +
           s.values * s.columns;
  }

  LinearAttentionHead in, gradient;
  AttentionRows dout, out;
  const float* norm = nullptr;

  void run(int64_t positions) {
    int64_t last = (positions - 1) / chunk * chunk;
    for (int64_t first = 0; first < positions; first += chunk) {
      load(first, std::min(chunk, positions - first));
      query_gradients(first, last);
    }
    for (int64_t first = last; first >= 0; first -= chunk) {
      load(first, std::min(chunk, positions - first));
      key_gradients(first, last);
    }
  }

 private:
  void load(int64_t first, int64_t count) {
    first_ = first, count_ = count;
    rows_.load_rows(in.q, first, count, f_, static_cast<float>(s_.attrs.scale), q_, s_.queries);
    rows_.load_rows(in.k, first, count, f_, 1, k_, s_.queries);
    rows_.load_transposed(in.k, first, count, f_, kt_, chunk);
    rows_.load_transposed(in.v, first, count, d_, vt_, chunk);
    std::fill_n(vt_ + d_ * chunk, chunk, 1.0f);
    rows_.load_rows(dout, first, count, d_, 1, g_, s_.values);
    rows_.load_rows(out, first, count, d_, 1, out_, s_.values);
    kernels_.normalise_gradient(g_, out_, norm + first, count, d_, s_.values);
    kernels_.multiply({.a = q_,
                       .a_row = s_.queries,
                       .b = kt_,
                       .b_step = chunk,
                       .rows = count,
                       .columns = chunk,
                       .length = f_,
                       .out = scores_,
                       .out_row = chunk});
    kernels_.multiply({.a = g_,
                       .a_row = s_.values,
                       .b = vt_,
                       .b_step = chunk,
                       .rows = count,
                       .columns = chunk,
                       .length = d_ + 1,
                       .out = dscores_,
                       .out_row = chunk});
    kernels_.score_gradients(scores_, count, chunk, dscores_);
  }

  void query_gradients(int64_t first, int64_t last) {
    kernels_.multiply({.a = dscores_,
                       .a_row = chunk,
                       .b = k_,
                       .b_step = s_.queries,
                       .rows = count_,
                       .columns = s_.queries,
                       .length = count_,
                       .out = dx_,
                       .out_row = s_.queries,
                       .terms = ChunkProduct::up_to_row});
    if (first > 0) {
      kernels_.multiply({.a = g_,
                         .a_row = s_.values,
                         .b = transposed_,
                         .b_step = s_.columns,
                         .rows = count_,
                         .columns = s_.columns,
                         .length = d_ + 1,
                         .out = dfeatures_,
                         .out_row = s_.columns});
      kernels_.features_gradient(dfeatures_, s_.columns, q_, count_, f_, s_.queries, 0.5f, dx_);
    }
    // The queries were scaled when they were loaded.
    rows_.load_rows({.data = dx_, .stride = s_.queries}, 0, count_, f_,
                    static_cast<float>(s_.attrs.scale), scaled_, s_.queries);
    rows_.store_rows(scaled_, s_.queries, gradient.q, first, count_, f_);
    if (first == last) return;
    kernels_.features(k_, count_, f_, s_.queries, 1, features_, s_.columns);
    kernels_.multiply({.a = vt_,
                       .a_row = chunk,
                       .b = features_,
                       .b_step = s_.columns,
                       .rows = d_ + 1,
                       .columns = s_.columns,
                       .length = count_,
                       .out = transposed_,
                       .out_row = s_.columns,
                       .add = first > 0});
  }

  void key_gradients(int64_t first, int64_t last) {
    kernels_.multiply({.a = dscores_,
                       .a_row = 1,
                       .a_step = chunk,
                       .b = q_,
                       .b_step = s_.queries,
                       .rows = count_,
                       .columns = s_.queries,
                       .length = count_,
                       .out = dx_,
                       .out_row = s_.queries,
                       .terms = ChunkProduct::from_row});
    kernels_.weights(scores_, count_, chunk, scores_);
    kernels_.multiply({.a = scores_,
                       .a_row = 1,
                       .a_step = chunk,
                       .b = g_,
                       .b_step = s_.values,
                       .rows = count_,
                       .columns = s_.values,
                       .length = count_,
                       .out = dv_,
                       .out_row = s_.values,
                       .terms = ChunkProduct::from_row});
    if (first < last) {
      rows_.load_transposed({.data = state_, .stride = s_.values}, 0, s_.features, d_ + 1,
                            transposed_, s_.columns);
      kernels_.multiply({.a = vt_,
                         .a_row = 1,
                         .a_step = chunk,
                         .b = transposed_,
                         .b_step = s_.columns,
                         .rows = count_,
                         .columns = s_.columns,
                         .length = d_ + 1,
                         .out = dfeatures_,
                         .out_row = s_.columns});
      kernels_.features_gradient(dfeatures_, s_.columns, k_, count_, f_, s_.queries, 1, dx_);
      kernels_.features(k_, count_, f_, s_.queries, 1, features_, s_.columns);
      kernels_.multiply({.a = features_,
                         .a_row = s_.columns,
                         .b = state_,
                         .b_step = s_.values,
                         .rows = count_,
                         .columns = s_.values,
                         .length = s_.features,
                         .out = dv_,
                         .out_row = s_.values,
                         .add = true});
    }
    rows_.store_rows(dx_, s_.queries, gradient.k, first, count_, f_);
    rows_.store_rows(dv_, s_.values, gradient.v, first, count_, d_);
    if (first == 0) return;
    kernels_.features(q_, count_, f_, s_.queries, 0.5f, features_, s_.columns);
    kernels_.multiply({.a = features_,
                       .a_row = 1,
                       .a_step = s_.columns,
                       .b = g_,
                       .b_step = s_.values,
                       .rows = s_.features,
                       .columns = s_.values,
                       .length = count_,
                       .out = state_,
                       .out_row = s_.values,
                       .add = first < last});
  }

  const AttentionKernels& rows_ = *pick(&portable::attention, &avx2::attention, &avx512::attention);
  const LinearAttentionKernels& kernels_ =
      *pick(&portable::linear_attention, &avx2::linear_attention, &avx512::linear_attention);
  const LinearAttentionSizes& s_;
  const int64_t f_ = s_.attrs.feature_dim, d_ = s_.attrs.head_dim;
  int64_t first_ = 0, count_ = 0;
  ScratchParts parts_;
  float* q_ = parts_.take(chunk * s_.queries);
  float* k_ = parts_.take(chunk * s_.queries);
  float* dx_ = parts_.take(chunk * s_.queries);  // gradient of scaled queries, or of keys
  float* scaled_ = parts_.take(chunk * s_.queries);
  float* kt_ = parts_.take(f_ * chunk);
  float* vt_ = parts_.take((d_ + 1) * chunk);
  float* g_ = parts_.take(chunk * s_.values);
  float* out_ = parts_.take(chunk * s_.values);
  float* dv_ = parts_.take(chunk * s_.values);
  float* scores_ = parts_.take(chunk * chunk);
  float* dscores_ = parts_.take(chunk * chunk);
  float* features_ = parts_.take(s_.features_floats());
  float* dfeatures_ = parts_.take(s_.features_floats());
  float* state_ = parts_.take(s_.state_floats());            // Σ φ(q)·g, [E][P]
  float* transposed_ = parts_.take(s_.values * s_.columns);  // of a state
};

}  // namespace

std::unique_ptr<Kernel> make_linear_attention_grad_kernel(const OpCall& call) {
  LinearAttentionSizes sizes(call.attrs.as<LinearAttentionAttrs>());
  int64_t batch = call.input(1).shape[0], positions = call.input(1).shape[1];
  TaskScratch scratch(batch * sizes.attrs.heads, HeadGradient::scratch_floats(sizes));
  DType dout = call.input(0).dtype, packed = call.input(1).dtype, out = call.input(2).dtype;
  DType gradient = call.out[0].dtype;
  return make_kernel(
      [=](const KernelArgs& args) {
        scratch.run(args.workspace, [&](int64_t task, float* floats) {
          int64_t heads = sizes.attrs.heads, d = sizes.attrs.head_dim;
          int64_t b = task / heads, h = task % heads, first = (b * positions * heads + h) * d;
          HeadGradient head(sizes, floats);
          head.in = head_of(sizes.attrs, args.in[1], packed, b * positions, h);
          head.gradient = head_of(sizes.attrs, args.out[0], gradient, b * positions, h);
          head.dout = rows_at(args.in[0], dout, first, heads * d);
          head.out = rows_at(args.in[2], out, first, heads * d);
          head.norm = args.input<float>(3) + task * positions;
          head.run(positions);
        });
      },
      scratch.workspace_bytes());
}

}  // namespace anneal
