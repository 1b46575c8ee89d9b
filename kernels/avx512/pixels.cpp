// Products of pixels with AVX-512.
#include "ints_by_pixels.hpp"
#include "pixels_by_bits.hpp"

namespace kernels::pixels {

const Kernels avx512{3 * kPanelsOfBlock, pixels_by_bits, ints_by_pixels};

}  // namespace kernels::pixels
