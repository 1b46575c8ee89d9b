// Compiled for NEON.
#include "../generic/optimizers.hpp"

namespace kernels::optimizers {

const Kernels neon{adam, bop};

}  // namespace kernels::optimizers
