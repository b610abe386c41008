#include "anneal/optim/muon.hpp"

#include <algorithm>
#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/grad_norm/grad_norm.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/optim/adam.hpp"

namespace anneal {
namespace {

constexpr int iterations = 5;
constexpr double qa = 3.4445, qb = -4.7750, qc = 2.0315;
constexpr double tiny = 1e-7;  // a gradient of zero stays zero

Value update(UpdateBuilder& u, const OptimizerConfig& c) {
  if (!is_hidden_matrix(u.role())) return adamw_update(u, c);
  Builder& b = u.builder();
  Value g = u.gradient();
  Value momentum = decaying_mean(u, "momentum", g, c.momentum, 1);
  Value direction = c.nesterov ? add(b, g, scale(b, momentum, c.momentum)) : momentum;
  Shape shape = b.shape(direction);
  auto longest = static_cast<double>(std::max(shape[0], shape[1]));
  Value step = scale(b, orthogonalised(b, direction), 0.2 * std::sqrt(longest));
  return sub(b, decayed(u, c), mul(b, step, u.scalar("lr")));
}

NamedScalars scalars(const OptimizerConfig& c, int64_t t, double lr) {
  NamedScalars list = adamw_scalars(c, t, lr);
  list.add({"lr", lr});
  return list;
}

}  // namespace

Value orthogonalised(Builder& b, Value x) {
  Shape shape = b.shape(x);
  ANNEAL_ASSERT(shape.rank() == 2, "orthogonalised takes a matrix, got ", shape);
  bool wide = shape[0] <= shape[1];  // products over the longer side make the smaller A
  x = mul(b, x, reciprocal(b, shift(b, norm(b, x), tiny)));
  for (int i = 0; i < iterations; ++i) {
    Value a = wide ? matmul(b, x, x, false, true) : matmul(b, x, x, true, false);
    Value polynomial = add(b, scale(b, a, qb), scale(b, matmul(b, a, a), qc));
    Value turned = wide ? matmul(b, polynomial, x) : matmul(b, x, polynomial);
    x = add(b, scale(b, x, qa), turned);
  }
  return x;
}

const Optimizer muon = {"muon", update, scalars, [](OptimizerConfig& c) {
                          c.momentum = 0.95;
                          c.nesterov = true;
                        }};

}  // namespace anneal
