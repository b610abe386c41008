#include "anneal/ops/registry.hpp"

#include "anneal/ops/attention/attention.hpp"
#include "anneal/ops/attention/cpu.hpp"
#include "anneal/ops/attention_cached/attention_cached.hpp"
#include "anneal/ops/attention_cached/cpu.hpp"
#include "anneal/ops/collective/collective.hpp"
#include "anneal/ops/collective/cpu.hpp"
#include "anneal/ops/columns/columns.hpp"
#include "anneal/ops/columns/cpu.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/ops/constant/cpu.hpp"
#include "anneal/ops/dropout/cpu.hpp"
#include "anneal/ops/dropout/dropout.hpp"
#include "anneal/ops/elementwise/cpu.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/embedding/cpu.hpp"
#include "anneal/ops/embedding/embedding.hpp"
#include "anneal/ops/grad_norm/cpu.hpp"
#include "anneal/ops/grad_norm/grad_norm.hpp"
#include "anneal/ops/head_loss/cpu.hpp"
#include "anneal/ops/head_loss/head_loss.hpp"
#include "anneal/ops/head_norm/cpu.hpp"
#include "anneal/ops/head_norm/head_norm.hpp"
#include "anneal/ops/linear_attention/cpu.hpp"
#include "anneal/ops/linear_attention/linear_attention.hpp"
#include "anneal/ops/linear_attention_cached/cpu.hpp"
#include "anneal/ops/linear_attention_cached/linear_attention_cached.hpp"
#include "anneal/ops/matmul/cpu.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/norm/cpu.hpp"
#include "anneal/ops/norm/layernorm.hpp"
#include "anneal/ops/norm/rmsnorm.hpp"
#include "anneal/ops/reduce/cpu.hpp"
#include "anneal/ops/reduce/sum_to.hpp"
#include "anneal/ops/rope/cpu.hpp"
#include "anneal/ops/rope/rope.hpp"
#include "anneal/ops/short_conv/cpu.hpp"
#include "anneal/ops/short_conv/short_conv.hpp"
#include "anneal/ops/short_conv_cached/cpu.hpp"
#include "anneal/ops/short_conv_cached/short_conv_cached.hpp"
#include "anneal/ops/swiglu/cpu.hpp"
#include "anneal/ops/swiglu/swiglu.hpp"
#include "anneal/ops/take_row/cpu.hpp"
#include "anneal/ops/take_row/take_row.hpp"

namespace anneal {
namespace {

// One line an op.
const OpEntry table[] = {
    {elementwise_op, make_elementwise_kernel},
    {matmul_op, make_matmul_kernel},
    {sum_to_op, make_sum_to_kernel},
    {broadcast_op, make_broadcast_kernel},
    {layernorm_op, make_layernorm_kernel},
    {layernorm_grad_op, make_layernorm_grad_kernel},
    {rmsnorm_op, make_rmsnorm_kernel},
    {rmsnorm_grad_op, make_rmsnorm_grad_kernel},
    {head_norm_op, make_head_norm_kernel},
    {head_norm_grad_op, make_head_norm_grad_kernel},
    {attention_op, make_attention_kernel},
    {attention_grad_op, make_attention_grad_kernel},
    {attention_cached_op, make_attention_cached_kernel},
    {linear_attention_op, make_linear_attention_kernel},
    {linear_attention_grad_op, make_linear_attention_grad_kernel},
    {linear_attention_cached_op, make_linear_attention_cached_kernel},
    {short_conv_op, make_short_conv_kernel},
    {short_conv_grad_op, make_short_conv_grad_kernel},
    {short_conv_cached_op, make_short_conv_cached_kernel},
    {rope_op, make_rope_kernel},
    {dropout_op, make_dropout_kernel},
    {embedding_op, make_embedding_kernel},
    {embedding_grad_op, make_embedding_grad_kernel},
    {take_row_op, make_take_row_kernel},
    {take_columns_op, make_take_columns_kernel},
    {add_columns_op, make_add_columns_kernel},
    {swiglu_op, make_swiglu_kernel},
    {swiglu_grad_op, make_swiglu_grad_kernel},
    {head_loss_op, make_head_loss_kernel},
    {head_loss_grad_op, make_head_loss_kernel},
    {head_loss_input_grad_op, make_head_loss_kernel},
    {sum_squares_op, make_sum_squares_kernel},
    {grad_norm_op, make_grad_norm_kernel},
    {constant_op, make_constant_kernel},
    {all_reduce_op, make_collective_kernel},
    {all_gather_op, make_collective_kernel},
    {reduce_scatter_op, make_collective_kernel},
};

}  // namespace

std::span<const OpEntry> all_ops() { return table; }

std::unique_ptr<Kernel> make_cpu_kernel(const OpDef& op, const OpCall& call) {
  for (const auto& entry : table)
    if (&entry.def() == &op) return entry.cpu ? entry.cpu(call) : nullptr;
  return nullptr;
}

DType low_dtype(const OpCall& call) {
  DType low = DType::f32;
  auto add = [&](const TensorType& type) {
    if (!is_low(type.dtype)) return;
    ANNEAL_ASSERT(!is_low(low) || low == type.dtype, "a kernel of ", name_of(low), " and ", type);
    low = type.dtype;
  };
  for (const auto& type : call.in)
    if (type) add(*type);
  for (const auto& type : call.out) add(type);
  return low;
}

}  // namespace anneal
