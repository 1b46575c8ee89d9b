// Compiled once for each instruction set, whose name BINARY_KERNELS_SET is.
#include "float_products.hpp"

namespace kernels::float_products {

const Kernels BINARY_KERNELS_SET{floats_by_bits, floats_by_pixels};

}  // namespace kernels::float_products
