// For any processor.
#include "../generic/normalization.hpp"

namespace kernels::normalization {

const Kernels scalar{statistics, binarize, backward};

}  // namespace kernels::normalization
