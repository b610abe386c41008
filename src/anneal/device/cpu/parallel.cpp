#include "anneal/device/cpu/parallel.hpp"

#include "anneal/base/error.hpp"

namespace anneal {

void set_threads(int64_t threads) {
  if (threads < 0 || threads > most_threads)
    throw UsageError(
        str("[threads] expected 0 to ", most_threads, ", got ", threads, " (0 uses all cores)"));
  omp_set_num_threads(threads > 0 ? static_cast<int>(threads) : omp_get_num_procs());
}
int thread_count() { return omp_get_max_threads(); }

}  // namespace anneal
