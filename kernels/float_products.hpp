// Products of float32 with bits or pixels: gradients that are not rounded.
//
// A sum adds its terms one after the other in the order of k, in float32, whatever the
// instruction set: the bits of the result do not depend on it.
#pragma once

#include "operands.hpp"
#include "products.hpp"

namespace kernels::float_products {

// out[m, n] = sum over k of a[m, k] b[k, n], b +1/-1. a: (M, stride) float32. b: rows of bits,
// (K, bytes). out: float32 (its `wide` means nothing).
using FloatsByBits = void (*)(const float* a, std::size_t stride, const std::uint8_t* b,
                              std::size_t bytes, std::size_t elements, Output out,
                              products::Range range);

// out[m, n] = sum over k of a[m, k] x[k, n], x nibbles.
using FloatsByPixels = void (*)(const float* a, std::size_t stride, IntRows x,
                                std::size_t elements, Output out, products::Range range);

struct Kernels {
  FloatsByBits floats_by_bits;
  FloatsByPixels floats_by_pixels;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels neon;

}  // namespace kernels::float_products
