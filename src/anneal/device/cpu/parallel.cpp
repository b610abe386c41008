#include "anneal/device/cpu/parallel.hpp"

namespace anneal {

void set_threads(int threads) { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }
int thread_count() { return omp_get_max_threads(); }

}  // namespace anneal
