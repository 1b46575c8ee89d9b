// Compiled for NEON.
#include "../generic/normalization.hpp"

namespace kernels::normalization {

const Kernels neon{statistics, binarize, backward};

}  // namespace kernels::normalization
