// Compiled for AVX-512.
#include "../generic/optimizers.hpp"

namespace kernels::optimizers {

const Kernels avx512{adam, bop};

}  // namespace kernels::optimizers
