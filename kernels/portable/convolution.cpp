// Compiled once for each instruction set, whose name BINARY_KERNELS_SET is.
#include "convolution.hpp"

namespace kernels::convolution {

const Kernels BINARY_KERNELS_SET{pixel_sums, pixel_gradients, max_pool, round,
                                 select,     columns,         add_sums, shift};

}  // namespace kernels::convolution
