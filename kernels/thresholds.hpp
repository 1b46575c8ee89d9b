// Sums to bits by a comparison of integers: how a trained network binarizes.
#pragma once

#include "layout.hpp"

namespace kernels::thresholds {

// Bits of a panel's 32 features: bit j is sum > below[j].
// sums: (rows, 32), int16 or, if `wide`, int32. bits: so many bytes (1 to 4) of each row, of which
// rows are `stride` apart.
using Compare = void (*)(const void* sums, bool wide, const std::int32_t* below, std::size_t rows,
                         std::uint8_t* bits, std::size_t bytes, std::size_t stride);

struct Kernels {
  Compare compare;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels neon;

}  // namespace kernels::thresholds
