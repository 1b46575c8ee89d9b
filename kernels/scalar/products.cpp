// Products, one element at a time: the reference for every instruction set.
#include "../products.hpp"

#include "access.hpp"

namespace kernels::products {
namespace {

int sign_of(PanelOperand b, std::size_t output, std::size_t element) {
  const std::size_t byte = (output / kPanel * b.bytes + element / 8) * kPanel + output % kPanel;
  return (b.data[byte] >> (element % 8) & 1) != 0 ? 1 : -1;
}

template <typename Element>
void product(std::size_t elements, PanelOperand b, Output out, bool add, Range range,
             Element element) {
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    for (std::size_t n = range.panel_begin * kPanel; n < range.panel_end * kPanel; ++n) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < elements; ++k) sum += element(m, k) * sign_of(b, n, k);
      write(out, m, n, sum, add);
    }
  }
}

void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, Output out,
                  Range range) {
  product(elements, b, out, false, range, [&](std::size_t m, std::size_t k) {
    return (a[m * b.bytes + k / 8] >> (k % 8) & 1) != 0 ? 1 : -1;
  });
}

void ints_by_bits(const IntProduct& of) {
  product(of.elements, of.b, of.out, of.add, of.range,
          [&](std::size_t m, std::size_t k) { return of.weight * integer(of.a, m, k); });
}

}  // namespace

const Kernels scalar{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
