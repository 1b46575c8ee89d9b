// Compiled for AVX2.
#include "../generic/optimizers.hpp"

namespace kernels::optimizers {

const Kernels avx2{adam, bop};

}  // namespace kernels::optimizers
