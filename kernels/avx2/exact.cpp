// Compiled for AVX2.
#include "../generic/exact.hpp"

namespace kernels::exact {

const Kernels avx2{floats_by_bits, floats_by_pixels};

}  // namespace kernels::exact
