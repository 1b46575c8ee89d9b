// What products by lookup share: tables, nibbles, counts, and where the sums go.
#pragma once

#include "common.hpp"

namespace kernels {
namespace {

__m256i load_table(const std::uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// Counts of 32 outputs in 16 bits. Adding bytes as they lie, two to a 16-bit lane, gives the even
// output's count plus 256 times the odd one's; the odd ones are counted by themselves, and
// subtracting them at the end leaves the even ones. Three instructions, and no mask.
struct Wide {
  __m256i both, odd;

  // Not when it is made: GCC would fill an array of them by a string instruction, which takes longer
  // than a short product.
  void clear() { both = odd = _mm256_setzero_si256(); }

  void add(__m256i bytes) {
    both = in_place(_mm256_add_epi16(both, bytes));
    odd = in_place(_mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8)));
  }

  // The 32 counts in order, below 2^16.
  void in_order(__m256i& first, __m256i& second) const {
    const __m256i even = _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(even, odd);
    const __m256i high = _mm256_unpackhi_epi16(even, odd);
    first = _mm256_permute2x128_si256(low, high, 0x20);
    second = _mm256_permute2x128_si256(low, high, 0x31);
  }
};

// base + factor * count for 32 outputs, written or added to what is there. In 16 bits everything
// is modulo 2^16, and exact because the sum fits.
void write(Output out, std::size_t m, std::size_t panel, const Wide& counts, int factor, int base,
           bool add) {
  __m256i halves[2];
  counts.in_order(halves[0], halves[1]);
  const std::size_t at = m * out.row_stride + panel * out.panel_stride;
  if (!out.wide) {
    auto* p = reinterpret_cast<__m256i*>(static_cast<std::int16_t*>(out.data) + at);
    const __m256i scale = _mm256_set1_epi16(static_cast<short>(factor));
    const __m256i offset = _mm256_set1_epi16(static_cast<short>(base));
    for (std::size_t i = 0; i < 2; ++i) {
      __m256i x = _mm256_add_epi16(_mm256_mullo_epi16(halves[i], scale), offset);
      if (add) x = _mm256_add_epi16(x, _mm256_loadu_si256(p + i));
      _mm256_storeu_si256(p + i, x);
    }
    return;
  }
  auto* p = reinterpret_cast<__m256i*>(static_cast<std::int32_t*>(out.data) + at);
  const __m256i scale = _mm256_set1_epi32(factor);
  const __m256i offset = _mm256_set1_epi32(base);
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i part = i % 2 == 0 ? _mm256_castsi256_si128(halves[i / 2])
                                    : _mm256_extracti128_si256(halves[i / 2], 1);
    const __m256i count = _mm256_cvtepu16_epi32(part);
    __m256i x = _mm256_add_epi32(_mm256_mullo_epi32(count, scale), offset);
    if (add) x = _mm256_add_epi32(x, _mm256_loadu_si256(p + i));
    _mm256_storeu_si256(p + i, x);
  }
}

}  // namespace
}  // namespace kernels
