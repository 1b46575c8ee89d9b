// Products, one element at a time: the reference for every instruction set.
#include "../products.hpp"

namespace kernels::products {
namespace {

int bit_of(PanelOperand b, std::size_t output, std::size_t element) {
  const std::size_t byte = (output / kPanel * b.bytes + element / 8) * kPanel + output % kPanel;
  return b.data[byte] >> (element % 8) & 1;
}

template <typename Element>
void product(std::size_t elements, PanelOperand b, std::int32_t* out, Range range,
             Element element) {
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    for (std::size_t p = range.panel_begin; p < range.panel_end; ++p) {
      for (std::size_t o = 0; o < rows_in_panel(p, b.outputs); ++o) {
        const std::size_t n = p * kPanel + o;
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < elements; ++k) {
          sum += bit_of(b, n, k) != 0 ? element(m, k) : -element(m, k);
        }
        out[m * b.outputs + n] = sum;
      }
    }
  }
}

void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::int32_t* out,
                  Range range) {
  product(elements, b, out, range, [&](std::size_t m, std::size_t k) {
    return (a[m * b.bytes + k / 8] >> (k % 8) & 1) != 0 ? 1 : -1;
  });
}

void ints_by_bits(const std::uint8_t* a, std::size_t elements, int offset, PanelOperand b,
                  std::int32_t* out, Range range) {
  product(elements, b, out, range,
          [&](std::size_t m, std::size_t k) { return a[m * elements + k] - offset; });
}

}  // namespace

const Kernels scalar{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
