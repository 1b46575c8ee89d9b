// Products of signed integers with pixels, in exact integers: the first layer's weight gradient,
// the one product of training in which neither side is single bits.
#pragma once

#include "operands.hpp"
#include "products.hpp"

namespace kernels::pixels {

// A pixel is at most 15 and an integer at most 127.
inline constexpr std::size_t kMostElements = ((std::size_t{1} << 31) - 1) / (15 * 127);

// out[n, p] = sum over b of a[n, b] x[b, p].
// a: (N, stride) int8, stride a multiple of 4, elements of absolute value at most `most` (1 to
// 127). x: nibbles. elements: how many b. out: int32. Range: rows n, panels of 32 pixels; the
// nibbles of a panel past the last pixel are read.
using IntsByPixels = void (*)(const std::int8_t* a, std::size_t stride, int most, IntRows x,
                              std::size_t elements, Output out, products::Range range);

struct Kernels {
  IntsByPixels ints_by_pixels;
};

extern const Kernels scalar;
extern const Kernels avx2;

}  // namespace kernels::pixels
