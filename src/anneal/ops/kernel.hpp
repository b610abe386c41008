#pragma once

#include <memory>
#include <utility>

#include "anneal/device/library_memory.hpp"
#include "anneal/ir/op_def.hpp"

namespace anneal {

// Where a kernel finds its operands: one pointer per input (null where an optional input is absent)
// and per output, typed as the call it was made for says, and its workspace.
struct KernelArgs {
  const void* const* in = nullptr;
  void* const* out = nullptr;
  std::byte* workspace = nullptr;

  template <class T>
  const T* input(int i) const {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(int i) const {
    return static_cast<T*>(out[i]);
  }
};

// One op at one set of types and attributes on the CPU. Made when a plan is compiled; run() never
// allocates, leaves no trace between runs, throws only where a library fails, and gives the same
// bits for any number of threads: threads split outputs, never reductions.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual int64_t workspace_bytes() const { return 0; }
  virtual LibraryMemory library_memory() const { return {}; }
  virtual void run(const KernelArgs& args) const = 0;
};

// Makes the kernel for a call, or null where there is none for these types.
using KernelFactory = std::unique_ptr<Kernel> (*)(const OpCall&);

// A kernel from a callable f(const KernelArgs&).
template <class F>
std::unique_ptr<Kernel> make_kernel(F f, int64_t workspace_bytes = 0) {
  struct Callable final : Kernel {
    Callable(F fn, int64_t bytes) : f(std::move(fn)), workspace(bytes) {}
    int64_t workspace_bytes() const override { return workspace; }
    void run(const KernelArgs& args) const override { f(args); }
    F f;
    int64_t workspace;
  };
  return std::make_unique<Callable>(std::move(f), workspace_bytes);
}

// The 16-bit float among the types of a call, to choose kernels by; f32 where there is none. A call
// has one at most.
DType low_dtype(const OpCall& call);

}  // namespace anneal
