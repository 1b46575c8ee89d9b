// For any processor.
#include "../generic/exact.hpp"

namespace kernels::exact {

const Kernels scalar{floats_by_bits, floats_by_pixels};

}  // namespace kernels::exact
