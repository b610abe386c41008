#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

// Rows of a table. Inputs: table f32 [V,C]; ids i32 [B,T], below V. Output: f32 [B,T,C]; a negative
// id gives a row of zeros.
const OpDef& embedding_op();
Value embedding(Builder& b, Value table, Value ids);

struct EmbeddingGradAttrs {
  int64_t vocab = 0;  // V
  bool operator==(const EmbeddingGradAttrs&) const = default;
  void print(std::ostream& out) const { out << "vocab=" << vocab; }
};

// Gradient of embedding: dtable[id] = Σ dy of the rows with that id, in order of position; negative
// ids add nothing. Inputs: ids i32 [B,T]; dy [B,T,C]; optionally what dtable starts from. Output:
// dtable f32 [V,C].
const OpDef& embedding_grad_op();

}  // namespace anneal
