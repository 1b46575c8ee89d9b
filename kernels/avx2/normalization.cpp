// Compiled for AVX2.
#include "../generic/normalization.hpp"

namespace kernels::normalization {

const Kernels avx2{statistics, binarize, backward};

}  // namespace kernels::normalization
