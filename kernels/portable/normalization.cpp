// Compiled once for each instruction set, whose name BINARY_KERNELS_SET is.
#include "normalization.hpp"

namespace kernels::normalization {

const Kernels BINARY_KERNELS_SET{statistics, binarize, backward, activation_totals,
                                 sum_gradient};

}  // namespace kernels::normalization
