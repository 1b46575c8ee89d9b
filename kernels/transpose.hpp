// A block of 32 rows by 32 bytes, transposed.
#pragma once

#include "layout.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(BINARY_KERNELS_NEON)
#include <arm_neon.h>
#endif

namespace kernels {
namespace {

#if defined(__AVX2__)
// Five rounds of unpacking pairs.
inline void transpose_block(const std::uint8_t* in, std::uint8_t* out) {
  __m256i block[kPanel], next[kPanel];
  __builtin_memcpy(block, in, sizeof(block));
  // Round by round, register i and i + 8 of a half interleave: after four rounds register i
  // holds byte i of 16 rows in its lower half and byte i + 16 in its upper.
  for (int round = 0; round < 4; ++round) {
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 8; ++i) {
        const __m256i low = block[half * 16 + i];
        const __m256i high = block[half * 16 + i + 8];
        next[half * 16 + 2 * i] = _mm256_unpacklo_epi8(low, high);
        next[half * 16 + 2 * i + 1] = _mm256_unpackhi_epi8(low, high);
      }
    }
    __builtin_memcpy(block, next, sizeof(next));
  }
  for (int i = 0; i < 16; ++i) {
    next[i] = _mm256_permute2x128_si256(block[i], block[16 + i], 0x20);
    next[16 + i] = _mm256_permute2x128_si256(block[i], block[16 + i], 0x31);
  }
  __builtin_memcpy(out, next, sizeof(next));
}
#elif defined(BINARY_KERNELS_NEON)
// Blocks of 16 by 16, in four rounds of interleaving registers that are half of all apart.
inline void transpose_block(const std::uint8_t* in, std::uint8_t* out) {
  constexpr std::size_t kSide = 16;
  for (std::size_t r = 0; r < kPanel; r += kSide) {
    for (std::size_t c = 0; c < kPanel; c += kSide) {
      uint8x16_t block[kSide], next[kSide];
      for (std::size_t i = 0; i < kSide; ++i) block[i] = vld1q_u8(in + (r + i) * kPanel + c);
      for (int round = 0; round < 4; ++round) {
        for (std::size_t i = 0; i < kSide / 2; ++i) {
          next[2 * i] = vzip1q_u8(block[i], block[i + kSide / 2]);
          next[2 * i + 1] = vzip2q_u8(block[i], block[i + kSide / 2]);
        }
        __builtin_memcpy(block, next, sizeof(next));
      }
      for (std::size_t i = 0; i < kSide; ++i) vst1q_u8(out + (c + i) * kPanel + r, block[i]);
    }
  }
}
#else
inline void transpose_block(const std::uint8_t* in, std::uint8_t* out) {
  for (std::size_t r = 0; r < kPanel; ++r) {
    for (std::size_t c = 0; c < kPanel; ++c) out[c * kPanel + r] = in[r * kPanel + c];
  }
}
#endif

}  // namespace
}  // namespace kernels
