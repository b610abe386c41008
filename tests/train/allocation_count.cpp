#include "train/allocation_count.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ANNEAL_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define ANNEAL_OWN_MALLOC 0
#endif
#endif
#if !defined(ANNEAL_OWN_MALLOC)
#include <features.h>
#if defined(__GLIBC__)
#define ANNEAL_OWN_MALLOC 1
#else
#define ANNEAL_OWN_MALLOC 0
#endif
#endif

#if ANNEAL_OWN_MALLOC

#include <dnnl.h>
#include <execinfo.h>
#include <link.h>
#include <omp.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <sstream>

namespace anneal {
namespace {

constexpr int trace_length = 24;
constexpr int traces_kept = 8;

// The addresses of a loaded library or of the program.
struct Region {
  uintptr_t begin = 0, end = 0;
  bool holds(const void* address) const {
    auto a = reinterpret_cast<uintptr_t>(address);
    return begin <= a && a < end;
  }
};

struct Regions {
  Region program, dnnl, openmp;
};

// What counting writes to. Constant-initialised: malloc is called before any constructor runs.
struct Counters {
  std::atomic<bool> on{false};
  std::atomic<int64_t> ours{0}, of_libraries{0};
  Regions regions;
  std::array<std::array<void*, trace_length>, traces_kept> traces{};
};
constinit Counters counters;
constinit thread_local bool inside = false;

Region region_around(const void* address) {
  struct Search {
    const void* address;
    Region found;
  } search{address, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        Region r{~uintptr_t{0}, 0};
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          r.begin = std::min(r.begin, begin);
          r.end = std::max<uintptr_t>(r.end, begin + header.p_memsz);
        }
        if (r.holds(s.address)) s.found = r;
        return 0;
      },
      &search);
  return search.found;
}

// The innermost caller that is not part of the C or C++ library decides.
bool is_of_libraries(void* const* trace, int length) {
  const Regions& r = counters.regions;
  for (int i = 0; i < length; ++i) {
    if (r.dnnl.holds(trace[i]) || r.openmp.holds(trace[i])) return true;
    if (r.program.holds(trace[i])) return false;
  }
  return false;
}

void keep_trace(int64_t index) {
  if (index >= traces_kept) return;
  auto& kept = counters.traces[static_cast<size_t>(index)];
  kept.fill(nullptr);
  backtrace(kept.data(), trace_length);
}

// `caller`: where the hook returns to.
[[gnu::noinline]] void count(void* caller) {
  if (!counters.on.load(std::memory_order_relaxed) || inside) return;
  inside = true;
  bool of_libraries = is_of_libraries(&caller, 1);
  // Walking the stack is slow, and mostly the caller itself tells.
  if (!of_libraries && !counters.regions.program.holds(caller)) {
    std::array<void*, trace_length> trace{};
    // The first two are this function and the hook.
    int length = backtrace(trace.data(), trace_length);
    of_libraries = is_of_libraries(trace.data() + 2, length - 2);
  }
  if (of_libraries)
    ++counters.of_libraries;
  else
    keep_trace(counters.ours++);
  inside = false;
}

}  // namespace

bool AllocationCount::available() { return true; }

AllocationCount::AllocationCount() {
  // The first call loads the unwinder.
  std::array<void*, 4> trace;
  backtrace(trace.data(), static_cast<int>(trace.size()));
  counters.regions = {region_around(&counters),
                      region_around(reinterpret_cast<const void*>(&dnnl_primitive_execute)),
                      region_around(reinterpret_cast<const void*>(&omp_get_max_threads))};
  counters.ours = counters.of_libraries = 0;
  counters.on = true;
}

AllocationCount::~AllocationCount() { counters.on = false; }

int64_t AllocationCount::ours() const { return counters.ours; }
int64_t AllocationCount::of_libraries() const { return counters.of_libraries; }

std::string AllocationCount::report() const {
  inside = true;
  std::ostringstream out;
  int64_t kept = std::min<int64_t>(counters.ours, traces_kept);
  for (int64_t i = 0; i < kept; ++i) {
    out << "allocation " << i << ":";
    for (void* address : counters.traces[static_cast<size_t>(i)]) {
      if (!address) break;
      auto at = reinterpret_cast<uintptr_t>(address);
      const Regions& r = counters.regions;
      if (r.program.holds(address))
        out << " program+0x" << std::hex << at - r.program.begin << std::dec;
      else if (r.openmp.holds(address))
        out << " OpenMP";
      else
        out << " library";
    }
    out << '\n';
  }
  inside = false;
  return out.str();
}

}  // namespace anneal

// The C library's own entry points, and in front of them those that everybody calls.
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  anneal::count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  anneal::count(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, size_t bytes) {
  anneal::count(__builtin_return_address(0));
  return __libc_realloc(block, bytes);
}

void* memalign(size_t alignment, size_t bytes) {
  anneal::count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  anneal::count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, size_t alignment, size_t bytes) {
  anneal::count(__builtin_return_address(0));
  void* result = __libc_memalign(alignment, bytes);
  if (!result) return ENOMEM;
  *block = result;
  return 0;
}

}  // extern "C"

// In front of the C++ library's too, for the address of their caller.
void* operator new(size_t bytes) {
  anneal::count(__builtin_return_address(0));
  if (void* block = __libc_malloc(bytes ? bytes : 1)) return block;
  throw std::bad_alloc();
}

void* operator new(size_t bytes, std::align_val_t alignment) {
  anneal::count(__builtin_return_address(0));
  if (void* block = __libc_memalign(static_cast<size_t>(alignment), bytes ? bytes : 1))
    return block;
  throw std::bad_alloc();
}

void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }

#else

namespace anneal {

bool AllocationCount::available() { return false; }
AllocationCount::AllocationCount() = default;
AllocationCount::~AllocationCount() = default;
int64_t AllocationCount::ours() const { return 0; }
int64_t AllocationCount::of_libraries() const { return 0; }
std::string AllocationCount::report() const { return ""; }

}  // namespace anneal

#endif
