#pragma once

#include "anneal/ir/op_def.hpp"

namespace anneal {

// C[m,n] = op(A)·op(B) over k, leading dimensions flattened to rows.
struct MatmulExtents {
  int64_t m, n, k;
};
MatmulExtents matmul_extents(const OpCall& call);

}  // namespace anneal
