#include "anneal/device/arena.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "anneal/base/background_thread.hpp"
#include "anneal/base/error.hpp"
#include "anneal/base/memory_limit.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

constexpr int64_t chunk = int64_t{4} << 20;

// Has the system provide the pages of a range without a change to what they hold. False, and errno,
// where it cannot (EINVAL: Linux before 5.14).
bool populate([[maybe_unused]] std::byte* begin, [[maybe_unused]] int64_t bytes) {
#ifdef MADV_POPULATE_WRITE
  return ::madvise(begin, static_cast<size_t>(bytes), MADV_POPULATE_WRITE) == 0;
#else
  return false;
#endif
}

}  // namespace

class Arena::Population {
 public:
  Population(std::byte* base, int64_t bytes)
      : thread_(background_thread([this, base, bytes] {
          for (int64_t i = 0; i < bytes && !stop_ && failure_ == 0; i += chunk)
            if (!populate(base + i, std::min(chunk, bytes - i))) failure_ = errno;
        })) {}
  ~Population() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // The system's reason for not giving a page, or 0.
  int wait() {
    thread_.join();
    return failure_;
  }

 private:
  int failure_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

Arena::Arena() noexcept = default;
Arena::Arena(Arena&& other) noexcept { swap(other); }

Arena::Arena(int64_t bytes, Pages pages) : bytes_(bytes) {
  if (bytes == 0) return;
  // Touching more than there is would end the process without a word.
  if (int64_t limit = memory_limit(); limit > 0 && bytes > limit)
    throw UsageError(str("[memory] the plan needs ", bytes >> 20, " MiB, and this machine gives ",
                         limit >> 20,
                         " MiB (a smaller train.micro_batch or model.width needs less, or "
                         "train.recompute = \"cheap\" or \"block\"; see anneal plan)"));
  void* p = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    throw Error(str("cannot reserve ", bytes >> 20,
                    " MiB of memory for the run: ", std::strerror(errno),
                    " (a smaller train.micro_batch or model.width needs less; see anneal plan)"));
  base_ = static_cast<std::byte*>(p);
  ::madvise(p, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  if (pages == Pages::in_background && populate(base_, std::min(chunk, bytes))) {
    try {
      population_ = std::make_unique<Population>(base_, bytes);
      return;
    } catch (const std::system_error&) {
      // There is no other thread to be had.
    }
  }
  parallel_ranges(bytes, chunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 4096) base_[i] = std::byte{0};
  });
}

void Arena::wait() {
  if (!population_) return;
  int failure = population_->wait();
  population_.reset();
  if (failure != 0)
    throw Error(str("the system does not give the ", bytes_ >> 20,
                    " MiB of memory of the run: ", std::strerror(failure),
                    " (a smaller train.micro_batch or model.width needs less; see anneal plan)"));
}

Arena::~Arena() {
  population_.reset();
  if (base_) ::munmap(base_, static_cast<size_t>(bytes_));
}

}  // namespace anneal
