// Compiled for AVX-512.
#include "../generic/normalization.hpp"

namespace kernels::normalization {

const Kernels avx512{statistics, binarize, backward};

}  // namespace kernels::normalization
