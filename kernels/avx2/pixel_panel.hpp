// A panel's pixels of one sample, for the products of integers by pixels.
#pragma once

#include "../pixels.hpp"

#include "common.hpp"

namespace kernels::pixels {
namespace {

// The 32 pixels, a byte each; 0 for samples from `end` on.
__m256i pixels_of(IntRows x, std::size_t sample, std::size_t end, std::size_t panel) {
  if (sample >= end) return _mm256_setzero_si256();
  const auto* at = reinterpret_cast<const __m128i*>(x.row(sample) + panel * kPanel / 2);
  const __m128i bytes = _mm_loadu_si128(at);
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(bytes, nibble);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
  return _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
}

}  // namespace
}  // namespace kernels::pixels
