// Pixels by bits with AVX2: a table of the 16 partial sums of four pixels, looked up for 32
// outputs at once, for every group of four that is not all 0.
//
// What binds is the four vector pipes: for four groups and 32 outputs 4 shuffles, 3 additions and
// 3 instructions of `Wide`; with four panels at a time the two load pipes take no longer.
#pragma once

#include "pixel_tables.hpp"

namespace kernels::pixels {
namespace {

BlockSums look_up(const Row& row, const std::uint8_t* block) {
  // Not those that are returned: what is pointed to, GCC keeps in memory.
  Wide sums[kPanelsOfBlock];
  for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
    const std::uint8_t* tables = row.tables + g * kTable;
    const __m256i table[] = {load_table(tables), load_table(tables + kTable),
                             load_table(tables + 2 * kTable), load_table(tables + 3 * kTable)};
    const std::uint8_t* at[] = {block + row.offsets[g], block + row.offsets[g + 1],
                                block + row.offsets[g + 2], block + row.offsets[g + 3]};
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanelsOfBlock; ++p) {
      const auto entry = [&](std::size_t i) {
        return _mm256_shuffle_epi8(table[i], load(at[i] + p * kPanel));
      };
      sums[p].add(_mm256_add_epi8(_mm256_add_epi8(entry(0), entry(1)),
                                  _mm256_add_epi8(entry(2), entry(3))));
    }
  }
  BlockSums result;
  for (std::size_t p = 0; p < kPanelsOfBlock; ++p) result.of[p] = sums[p];
  return result;
}

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  multiply_pixels(x, elements, b, out, range, look_up);
}

}  // namespace
}  // namespace kernels::pixels
