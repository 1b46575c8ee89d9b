// Products of pixels with NEON.
#include "ints_by_pixels.hpp"
#include "pixels_by_bits.hpp"

namespace kernels::pixels {

const Kernels neon{kNoSixes, pixels_by_bits, ints_by_pixels};

}  // namespace kernels::pixels
