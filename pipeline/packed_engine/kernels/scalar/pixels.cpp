// Integers by pixels, one element at a time: the reference for every instruction set.
#include "../pixels.hpp"

#include "access.hpp"

namespace kernels::pixels {
namespace {

void ints_by_pixels(const std::int8_t* a, std::size_t stride, int, IntRows x,
                    std::size_t elements, Output out, products::Range range) {
  for (std::size_t n = range.row_begin; n < range.row_end; ++n) {
    for (std::size_t p = range.panel_begin * kPanel; p < range.panel_end * kPanel; ++p) {
      std::int32_t sum = 0;
      for (std::size_t b = 0; b < elements; ++b) sum += a[n * stride + b] * integer(x, b, p);
      write(out, n, p, sum, false);
    }
  }
}

}  // namespace

const Kernels scalar{ints_by_pixels};

}  // namespace kernels::pixels
