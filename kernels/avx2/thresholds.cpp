// Comparisons with AVX2: 32 sums to 32 bits.
#include "../thresholds.hpp"

#include "common.hpp"

namespace kernels::thresholds {
namespace {

// 16-bit lanes, all or none set, of 32 features to 32 bits.
std::uint32_t to_bits(__m256i low, __m256i high) {
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0b11'01'10'00);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
}

// Two registers of 32 bits to one of 16, saturated, in order.
__m256i narrowed(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11'01'10'00);
}

void compare(const void* sums, bool wide, const std::int32_t* below, std::size_t rows,
             std::uint8_t* bits, std::size_t bytes, std::size_t stride) {
  const __m256i limit[] = {load(below), load(below + 8), load(below + 16), load(below + 24)};
  // Saturated, a limit that no sum of 16 bits passes, or every one, stays one: sums are above
  // -2^15.
  const __m256i low = narrowed(limit[0], limit[1]), high = narrowed(limit[2], limit[3]);
  for (std::size_t i = 0; i < rows; ++i) {
    std::uint32_t mask;
    if (wide) {
      const auto* at = static_cast<const std::int32_t*>(sums) + i * kPanel;
      __m256i above[4];
      for (std::size_t q = 0; q < 4; ++q) above[q] = _mm256_cmpgt_epi32(load(at + 8 * q), limit[q]);
      mask = to_bits(narrowed(above[0], above[1]), narrowed(above[2], above[3]));
    } else {
      const auto* at = static_cast<const std::int16_t*>(sums) + i * kPanel;
      mask = to_bits(_mm256_cmpgt_epi16(load(at), low), _mm256_cmpgt_epi16(load(at + 16), high));
    }
    // With a size that is known, a copy is one instruction and no call.
    if (bytes == sizeof(mask)) {
      __builtin_memcpy(bits + i * stride, &mask, sizeof(mask));
    } else {
      __builtin_memcpy(bits + i * stride, &mask, bytes);
    }
  }
}

}  // namespace

const Kernels avx2{compare};

}  // namespace kernels::thresholds
