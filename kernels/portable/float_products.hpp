// Products of float32 over vectors of outputs, for every instruction set.
#pragma once

#include "../float_products.hpp"
#include "../vectors.hpp"

namespace kernels::float_products {
namespace {

constexpr std::size_t kGroups = kPanel / kLanes;
// So many elements of a panel, as floats, are 8 KiB.
constexpr std::size_t kBlock = 64;

// Add a block of elements, (count, 32) floats, to the outputs of every row.
void add_block(const float* a, std::size_t stride, const float* block, std::size_t count,
               bool first, std::size_t panel, Output out, products::Range range) {
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    float* to = static_cast<float*>(out.data) + m * out.row_stride + panel * out.panel_stride;
    Floats sums[kGroups];
    for (std::size_t w = 0; w < kGroups; ++w) {
      sums[w] = first ? all(0.0F) : read<Floats>(to + w * kLanes);
    }
    for (std::size_t k = 0; k < count; ++k) {
      const Floats factor = all(a[m * stride + k]);
      for (std::size_t w = 0; w < kGroups; ++w) {
        sums[w] += factor * read<Floats>(block + k * kPanel + w * kLanes);
      }
    }
    for (std::size_t w = 0; w < kGroups; ++w) store(to + w * kLanes, sums[w]);
  }
}

template <typename Expand>
void product(const float* a, std::size_t stride, std::size_t elements, Output out,
             products::Range range, Expand expand) {
  for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
    for (std::size_t begin = 0; begin < elements; begin += kBlock) {
      const std::size_t count = elements - begin < kBlock ? elements - begin : kBlock;
      alignas(32) float block[kBlock * kPanel];
      for (std::size_t k = 0; k < count; ++k) expand(begin + k, panel, block + k * kPanel);
      add_block(a + begin, stride, block, count, begin == 0, panel, out, range);
    }
  }
}

void floats_by_bits(const float* a, std::size_t stride, const std::uint8_t* b, std::size_t bytes,
                    std::size_t elements, Output out, products::Range range) {
  product(a, stride, elements, out, range,
          [&](std::size_t k, std::size_t panel, float* floats) {
            for (std::size_t n = 0; n < kPanel; ++n) {
              const std::size_t byte = (panel * kPanel + n) / 8;
              const bool set = byte < bytes && (b[k * bytes + byte] >> (n % 8) & 1) != 0;
              floats[n] = set ? 1.0F : -1.0F;
            }
          });
}

void floats_by_pixels(const float* a, std::size_t stride, IntRows x, std::size_t elements,
                      Output out, products::Range range) {
  product(a, stride, elements, out, range,
          [&](std::size_t k, std::size_t panel, float* floats) {
            const std::uint8_t* row = x.row(k) + panel * kPanel / 2;
            for (std::size_t n = 0; n < kPanel; ++n) {
              floats[n] = static_cast<float>(row[n / 2] >> (n % 2 * 4) & 15);
            }
          });
}

}  // namespace
}  // namespace kernels::float_products
