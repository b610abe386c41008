#pragma once

#include <string>

#include "anneal/ir/builder.hpp"

namespace anneal {

// Collectives: the only way in which ranks exchange values. Along a mesh
// axis a value is in one of three states:
//
//   replicated    every rank holds the same tensor
//   sharded(dim)  rank r holds the r-th of equal pieces along tensor dimension dim
//   partial       the value is the sum of what the ranks hold
//
// A rank's gradient of a partial value is that of the sum, so it is replicated. A gathered value is
// used by each rank for work of its own (other samples, other columns), so what a rank finds as its
// gradient is one term of it, and partial.
//
//   op                   x -> y                      dy            dx
//   all_reduce           partial -> replicated       replicated    dy as it is (replicated)
//   all_gather(dim)      sharded(dim) -> replicated  partial       reduce_scatter(dim)
//   reduce_scatter(dim)  partial -> sharded(dim)     sharded(dim)  all_gather(dim)
//
// Precondition: the axis has size 1, where all three states are one and these ops are the identity.
struct CollectiveAttrs {
  std::string axis;  // mesh axis
  int dim = 0;       // tensor dimension, from 0; all_reduce has none
  bool operator==(const CollectiveAttrs&) const = default;
  void print(std::ostream& out) const { out << axis << " dim=" << dim; }
};

const OpDef& all_reduce_op();
const OpDef& all_gather_op();
const OpDef& reduce_scatter_op();

Value all_reduce(Builder& b, Value x, const std::string& axis);
Value all_gather(Builder& b, Value x, const std::string& axis, int dim);
Value reduce_scatter(Builder& b, Value x, const std::string& axis, int dim);

}  // namespace anneal
