// Pixels by bits with AVX-512: as with AVX2, for two panels a register.
//
// Tables of 64 entries (`products.cpp`) would look up four groups at once, and could leave out only
// sixteen pixels that are all 0.
#pragma once

#include "../avx2/pixel_tables.hpp"
#include "common.hpp"

namespace kernels::pixels {
namespace {

__m512i load_four_tables(const std::uint8_t* table) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// `Wide` for two panels.
struct TwoWide {
  __m512i both = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();

  void add(__m512i bytes) {
    both = _mm512_add_epi16(both, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
};

BlockSums look_up(const Row& row, const std::uint8_t* block) {
  constexpr std::size_t kRegisters = kPanelsOfBlock / 2;
  TwoWide sums[kRegisters];
  for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
    const std::uint8_t* tables = row.tables + g * kTable;
    const __m512i table[] = {load_four_tables(tables), load_four_tables(tables + kTable),
                             load_four_tables(tables + 2 * kTable),
                             load_four_tables(tables + 3 * kTable)};
    const std::uint8_t* at[] = {block + row.offsets[g], block + row.offsets[g + 1],
                                block + row.offsets[g + 2], block + row.offsets[g + 3]};
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kRegisters; ++v) {
      const auto entry = [&](std::size_t i) {
        return _mm512_shuffle_epi8(table[i], load_wide(at[i] + v * kRegister));
      };
      sums[v].add(_mm512_add_epi8(_mm512_add_epi8(entry(0), entry(1)),
                                  _mm512_add_epi8(entry(2), entry(3))));
    }
  }
  BlockSums result;
  for (std::size_t v = 0; v < kRegisters; ++v) {
    result.of[2 * v].both = _mm512_castsi512_si256(sums[v].both);
    result.of[2 * v].odd = _mm512_castsi512_si256(sums[v].odd);
    result.of[2 * v + 1].both = _mm512_extracti64x4_epi64(sums[v].both, 1);
    result.of[2 * v + 1].odd = _mm512_extracti64x4_epi64(sums[v].odd, 1);
  }
  return result;
}

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  multiply_pixels(x, elements, b, out, range, look_up);
}

}  // namespace
}  // namespace kernels::pixels
