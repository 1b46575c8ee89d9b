// Products of pixels with AVX2.
#include "ints_by_pixels.hpp"
#include "pixels_by_bits.hpp"

namespace kernels::pixels {

const Kernels avx2{kNoSixes, pixels_by_bits, ints_by_pixels};

}  // namespace kernels::pixels
