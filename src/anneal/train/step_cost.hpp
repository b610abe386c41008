#pragma once

#include <string>
#include <vector>

#include "anneal/device/cpu/product_bench.hpp"
#include "anneal/device/cpu/rates.hpp"
#include "anneal/ir/module.hpp"
#include "anneal/train/config.hpp"

namespace anneal {

// A program and how many times a training step runs it.
struct StepProgram {
  std::string name;
  int64_t runs = 0;
};
// The programs of one step of a compiled module, in the order of their first run.
std::vector<StepProgram> programs_of_step(const Module& module, const RunConfig& config);

// What a step has to do, and what a machine of these rates needs for it at least.
struct StepCost {
  double flops = 0;        // of all nodes
  double model_flops = 0;  // of the matrix products of forward and backward: what MFU counts
  double bytes = 0;        // every node's inputs and outputs once
};
StepCost cost_of_step(const Module& module, const RunConfig& config);

// Whether a step of a plan of this size stays in the caches, and the bandwidth that it then has.
bool stays_in_cache(int64_t arena_bytes);
double bandwidth_of(const MachineRates& rates, bool cached);

// The roofline of a node: the larger of its FLOPs over the rate of its matrix products' dtype and
// of its bytes over the bandwidth. `cached`: the whole program stays in the caches.
double roofline_seconds(const Node& node, const OpCall& call, const MachineRates& rates,
                        bool cached);

// Seconds of a step if every node ran at its roofline.
double predicted_seconds(const Module& module, const RunConfig& config, const MachineRates& rates,
                         int64_t arena_bytes);

// The matrix products of a step, equal ones joined.
struct StepProduct {
  MatrixProduct product;
  int64_t runs = 0;  // in a step, each of product.count products
};
std::vector<StepProduct> products_of_step(const Module& module, const RunConfig& config);

// The matrix products of a step alone, back to back, each in the way that is fastest here
// (ProductBench): the bound for the whole step.
class StepBound {
 public:
  // Finds the fastest way of each product, which takes some seconds for a large model.
  StepBound(const Module& module, const RunConfig& config);
  // Runs every distinct product once.
  void measure();
  // Of a whole step: the medians over all calls of measure(), times their number in a step.
  double seconds() const;

  struct Line {
    StepProduct step;
    double seconds = 0;  // of one run: step.product.count products
  };
  std::vector<Line> lines() const;

 private:
  struct Entry {
    StepProduct step;
    double share = 0;  // of a run in the step, in runs of the bench
    ProductBench bench;
    std::vector<double> seconds{};
  };
  std::vector<Entry> entries_;
};

}  // namespace anneal
