// For any processor.
#include "../generic/optimizers.hpp"

namespace kernels::optimizers {

const Kernels scalar{adam, bop};

}  // namespace kernels::optimizers
