// Products of pixels, one element at a time: the reference for every instruction set.
#include "../pixels.hpp"

#include "access.hpp"

namespace kernels::pixels {
namespace {

constexpr std::size_t kGroup = 4;

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    for (std::size_t n = range.panel_begin * kPanel; n < range.panel_end * kPanel; ++n) {
      const std::size_t panel = n / kPanel, block = panel / kPanelsOfBlock;
      const std::uint8_t* at =
          b.data + (block * b.groups * kPanelsOfBlock + panel % kPanelsOfBlock) * kPanel;
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < elements; ++k) {
        const bool set = (at[k / kGroup * kPanelsOfBlock * kPanel + n % kPanel] >> (k % kGroup) & 1) != 0;
        sum += set ? integer(x, m, k) : -integer(x, m, k);
      }
      write(out, m, n, sum, false);
    }
  }
}

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

const Kernels scalar{kNoSixes, pixels_by_bits, ints_by_pixels};

}  // namespace kernels::pixels
