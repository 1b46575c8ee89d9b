// Pixels by bits with AVX-512, in groups of four or six.
#pragma once

#include "pixels_in_fours.hpp"
#include "pixels_in_sixes.hpp"

namespace kernels::pixels {
namespace {

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  if (b.grouping == Grouping::fours) {
    multiply_pixels(x, elements, b, out, range, InFours{x.levels});
  } else {
    multiply_pixels(x, elements, b, out, range, InSixes{x.levels});
  }
}

}  // namespace
}  // namespace kernels::pixels
