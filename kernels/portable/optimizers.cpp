// Compiled once for each instruction set, whose name BINARY_KERNELS_SET is.
#include "optimizers.hpp"

namespace kernels::optimizers {

const Kernels BINARY_KERNELS_SET{adam, rowprop, bop};

}  // namespace kernels::optimizers
