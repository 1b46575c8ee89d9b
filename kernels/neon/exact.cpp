// Compiled for NEON.
#include "../generic/exact.hpp"

namespace kernels::exact {

const Kernels neon{floats_by_bits, floats_by_pixels};

}  // namespace kernels::exact
